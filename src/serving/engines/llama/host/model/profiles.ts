import type { GgufSummary } from '../../inspect-gguf.ts';
import type { JsonBounds } from '../grammar/gbnf.ts';

/** What the host must know about a model beyond its file. */
export interface ModelProfile {
  /** Whether it thinks when the caller does not say; undefined: as its template has it. */
  readonly thinking?: boolean;
  /** Put after the prompt to make it think, where the template leaves that to chance. */
  readonly thinkingOpening?: string;
  /** False: functions are not put into words for it, which would fill its context to no avail. */
  readonly readsInstructions?: boolean;
  /** For a model that does not end by itself what a schema leaves open. */
  readonly jsonBounds?: JsonBounds;
  readonly sampling: SamplingDefaults;
}

export interface SamplingDefaults {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

/** llama.cpp's own (tools/server/README.md), so that a model answers here as it does there. */
const LLAMA_CPP: SamplingDefaults = { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 };

/** By `general.name`. A row only where the file cannot say it. */
const PROFILES: ReadonlyMap<string, ModelProfile> = new Map([
  [
    'millrace-nano',
    {
      // A demonstration should be right where it can: of 400 sums with thinking, 392 were at temperature 0, 386 at 0.3 and
      // 376 at 0.5; without thinking about one in ten (models/nano).
      thinking: true,
      thinkingOpening: '<think>\n',
      readsInstructions: false,
      // It never saw JSON, and would write one text until its 512 tokens are full: a call that nobody could parse.
      jsonBounds: { charactersMax: 24, itemsMax: 3 },
      sampling: { ...LLAMA_CPP, temperature: 0 },
    },
  ],
]);

export function profileOf(model: Pick<GgufSummary, 'name' | 'sampling'>): ModelProfile {
  return PROFILES.get(model.name) ?? { sampling: { ...LLAMA_CPP, ...model.sampling } };
}
