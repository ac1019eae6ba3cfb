import { BadInput } from './bad-input.ts';

/** What a planner needs of a recorded service: lengths, pace and how much of its input a cache could serve. */
export interface TraceSummary {
  readonly requests: number;
  readonly seconds: number;
  readonly inputTokensMean: number;
  readonly outputTokensMean: number;
  /** Share of input blocks that continue a prefix seen before, with a cache that forgets nothing. */
  readonly reusableShare: number;
  /** Squared coefficient of variation of the input lengths. */
  readonly lengthVariation: number;
}

interface TraceLine {
  readonly timestamp: number;
  readonly input_length: number;
  readonly output_length: number;
  readonly hash_ids: readonly number[];
}

function parseLine(text: string, number: number): TraceLine {
  const line: Partial<TraceLine> = JSON.parse(text);
  const { timestamp, input_length, output_length, hash_ids } = line;
  if (
    typeof timestamp !== 'number' ||
    typeof input_length !== 'number' ||
    typeof output_length !== 'number' ||
    !Array.isArray(hash_ids)
  ) {
    throw new BadInput(
      `trace line ${number}`,
      'has no timestamp, input_length, output_length or hash_ids',
      '缺少 timestamp、input_length、output_length 或 hash_ids',
    );
  }
  return { timestamp, input_length, output_length, hash_ids };
}

/**
 * Summarizes a trace in Mooncake's form (kvcache-ai/Mooncake, FAST25-release/traces): JSON lines with arrival in ms, lengths in
 * tokens and hashes of 512-token blocks, each of which stands for its whole prefix.
 */
export function summarizeTrace(jsonLines: string): TraceSummary {
  const seen = new Set<number>();
  let [requests, input, inputSquares, output, blocks, reused, last] = [0, 0, 0, 0, 0, 0, 0];
  for (const text of jsonLines.split('\n')) {
    if (text.trim() === '') continue;
    requests++;
    const line = parseLine(text, requests);
    input += line.input_length;
    inputSquares += line.input_length ** 2;
    output += line.output_length;
    last = Math.max(last, line.timestamp);
    for (const block of line.hash_ids) {
      blocks++;
      if (seen.has(block)) reused++;
      else seen.add(block);
    }
  }
  if (requests === 0) throw new BadInput('trace', 'has no requests', '没有任何请求');
  const mean = input / requests;
  return {
    requests,
    seconds: last / 1000,
    inputTokensMean: mean,
    outputTokensMean: output / requests,
    reusableShare: blocks === 0 ? 0 : reused / blocks,
    lengthVariation: inputSquares / requests / mean ** 2 - 1,
  };
}
