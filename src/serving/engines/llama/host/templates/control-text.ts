import { isObject, type Json } from '../requests/fields.ts';

/** Stands where text was cut in two, until it is tokenized: a non-character of Unicode, which no one may exchange. */
const SEAM = '\uFDD0';

/** Texts of control tokens that a caller's words may hold. */
export interface ControlText {
  /**
   * These words with a seam within each text that would become a control token: quoted marks stay text, and no one can end a
   * turn, or begin the system's, from within a message. All else is the same to the letter, since templates compare and cut
   * what they are given.
   * @param spared marks that the words may hold, such as those around the thinking of an earlier answer
   */
  disarm(text: string, spared?: ReadonlySet<string>): string;
}

/** @param controls what each control token of the vocabulary looks like */
export function createControlText(controls: Iterable<string>): ControlText {
  const texts = new Set([...controls].filter(text => text.length > 1));
  const lengths = [...new Set([...texts].map(text => text.length))].toSorted((a, b) => b - a);
  const firsts = new Set([...texts].map(text => text[0]));
  return {
    disarm(text, spared) {
      let out = '';
      let from = 0;
      for (let at = 0; at < text.length; at += 1) {
        if (!firsts.has(text[at])) continue;
        const found = lengths.map(length => text.slice(at, at + length)).find(each => texts.has(each));
        if (found === undefined || spared?.has(found)) continue;
        const cut = at + String.fromCodePoint(text.codePointAt(at) ?? 0).length;
        out += text.slice(from, cut) + SEAM;
        from = cut;
      }
      return from === 0 ? text : out + text.slice(from);
    },
  };
}

/** The parts that are tokenized each by itself. */
export function atSeams(prompt: string): readonly string[] {
  return prompt.split(SEAM);
}

/** All texts within a value, names of members too. */
export function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((each: unknown) => mapTexts(each, map));
  return isObject(value) ? mapMembers(value, map) : value;
}

export function mapMembers(value: Json, map: (text: string) => string): Json {
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [map(key), mapTexts(each, map)]));
}
