import { Fault } from '../../../../../ground/std/index.ts';
import { exactNumber } from './exact-json.ts';

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A request field that is at fault. `what` follows the field's name in the message. */
export function invalid(param: string, what: string, whatZh: string): Fault {
  return new Fault('invalid_parameter', { message: `${param} ${what}`, messageZh: `${param} ${whatZh}`, param });
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** Fields of a request body, each checked where it is read. Null counts as absent, as OpenAI's own API has it. */
export class Fields {
  readonly body: Json;
  private readonly read = new Set<string>();

  constructor(body: Json) {
    this.body = body;
  }

  /** Names that no one asked for: they had no effect. */
  get ignored(): readonly string[] {
    return Object.keys(this.body).filter(name => !this.read.has(name));
  }

  value(name: string): unknown {
    this.read.add(name);
    return this.body[name] ?? undefined;
  }

  number(name: string, { min, max }: Range): number | undefined {
    const value = this.numeric(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !(value >= min && value <= max))
      throw invalid(name, `must be a number from ${min} to ${max}`, `必须是 ${min} 到 ${max} 之间的数`);
    return value;
  }

  integer(name: string, { min, max }: Range): number | undefined {
    const value = this.numeric(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      throw invalid(name, `must be a whole number from ${min} to ${max}`, `必须是 ${min} 到 ${max} 之间的整数`);
    return value;
  }

  /** A setting of more digits than a double has is the nearest double. */
  private numeric(name: string): unknown {
    const value = this.value(name);
    const exact = exactNumber(value);
    return exact === undefined ? value : Number(exact);
  }

  boolean(name: string): boolean | undefined {
    const value = this.value(name);
    if (value !== undefined && typeof value !== 'boolean')
      throw invalid(name, 'must be true or false', '必须是 true 或 false');
    return value;
  }

  string(name: string): string | undefined {
    const value = this.value(name);
    if (value !== undefined && typeof value !== 'string') throw invalid(name, 'must be a string', '必须是字符串');
    return value;
  }

  object(name: string): Json | undefined {
    const value = this.value(name);
    if (value !== undefined && !isObject(value)) throw invalid(name, 'must be an object', '必须是对象');
    return value;
  }

  /** Fields that would change the answer and that this engine cannot honour. */
  refuse(names: readonly string[]): void {
    for (const name of names) {
      const value = this.value(name);
      const empty = value === undefined || value === false || (Array.isArray(value) && value.length === 0);
      if (!empty) throw invalid(name, 'is not supported by this engine', '此引擎不支持');
    }
  }

  /** Fields that never change the answer. */
  accept(names: readonly string[]): void {
    for (const name of names) this.read.add(name);
  }
}
