import { getLlama, type Llama, LlamaLogLevel, type LlamaModel, type Token } from 'node-llama-cpp';
import { type GgufSummary, inspectGguf } from '../../inspect-gguf.ts';
import { type MemoryPlan, type MemoryWish, planMemory } from '../../memory-plan.ts';
import { EngineMetrics } from '../answers/metrics.ts';
import { asTokens } from '../requests/prompt-tokens.ts';
import { createChatTemplate } from '../templates/chat-template.ts';
import { THINK_CLOSE, THINK_OPEN } from '../templates/marked-text.ts';
import { TOOL_CLOSE, TOOL_OPEN } from '../templates/tool-notation.ts';
import { createEmbedder } from './embedder.ts';
import type { Engine, Generator } from './engine.ts';
import { profileOf } from './profiles.ts';
import { createSequencePool } from './sequence-pool.ts';
import { createStallWatch, type Stall, stallMsOf } from './stall-watch.ts';
import { contextOptions, type Tuning, threadsMax, tune } from './tune.ts';

export interface LoadOptions extends MemoryWish {
  readonly file: string;
  readonly threads?: number;
  readonly onLog: (level: 'debug' | 'warn' | 'error', message: string) => void;
  readonly nowMs: () => number;
  readonly stallMs?: number;
  readonly onStall: (stall: Stall) => void;
}

const QUEUED_PER_SEQUENCE = 16;
/** A prompt is evaluated in parts of about this long: how long an abort, or a newcomer, may have to wait. */
const CHUNK_MS = 250;
const CHUNK_TOKENS_MIN = 16;
/** `LLAMA_POOLING_TYPE_MEAN` of llama.h. */
const POOLING_MEAN = 1;

/**
 * Loads the model and finds out how to run it. Memory is checked first: a machine that starts to swap serves no one.
 * @throws Fault `config_invalid`
 */
export async function loadEngine(options: LoadOptions): Promise<Engine> {
  const { nowMs } = options;
  const summary = await inspectGguf(options.file);
  const plan = planMemory(summary, options, process.availableMemory());
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.warn,
    logger: (level, message) => options.onLog(level === LlamaLogLevel.warn ? 'warn' : 'error', message.trim()),
  });
  const most = threadsMax(llama);
  const model = await llama.loadModel({
    modelPath: options.file,
    ...(summary.poolingType === undefined ? { metadataOverrides: poolingOverride(summary) } : {}),
  });
  const metrics = new EngineMetrics();
  const generates = summary.operations.includes('chat');
  const tuning = await tune(model, plan, {
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    threadsMax: most,
    headCount: summary.headCount,
    generates,
    nowMs,
  });
  const stallMs = options.stallMs ?? stallMsOf({ batchTokens: plan.batchTokens, ...tuning.chosen });
  return {
    summary,
    profile: profileOf(summary),
    plan,
    tuning,
    llama,
    model,
    ...(generates ? { generator: await createGenerator(model, summary, { plan, tuning, metrics, nowMs }) } : {}),
    embedder: createEmbedder(model, { contextTokens: plan.contextTokens, threads: tuning.chosen.threads }),
    metrics,
    stallMs,
    watch: createStallWatch({ stallMs, nowMs, onStall: options.onStall }),
    nowMs,
    createdAtS: Math.floor(Date.now() / 1000),
  };
}

/** A model that does not say how to make one vector of many gives their mean: the last token's alone tells little. */
function poolingOverride(summary: GgufSummary): Record<string, Record<string, number>> {
  return { [summary.architecture]: { pooling_type: POOLING_MEAN } };
}

async function createGenerator(
  model: LlamaModel,
  summary: GgufSummary,
  how: {
    readonly plan: MemoryPlan;
    readonly tuning: Tuning;
    readonly metrics: EngineMetrics;
    readonly nowMs: () => number;
  },
): Promise<Generator> {
  const { plan, tuning, metrics, nowMs } = how;
  const context = await model.createContext({
    ...contextOptions(tuning.chosen),
    sequences: plan.sequences,
    contextSize: plan.contextTokens,
    batchSize: plan.batchTokens,
    batching: {
      itemPrioritizationStrategy({ items, size }) {
        metrics.countDecode(items.length);
        return shareBatch(items, size);
      },
    },
  });
  const { bosString, eosString } = model.tokens;
  return {
    context,
    pool: createSequencePool(context, { queueMax: plan.sequences * QUEUED_PER_SEQUENCE, nowMs }),
    template: createChatTemplate(summary.chatTemplate, {
      bos: bosString ?? '',
      eos: eosString ?? '',
      controls: controlTexts(model, summary.vocabularySize),
    }),
    chunkTokens: Math.min(
      // With a token for each other answer, the part still makes one batch.
      Math.max(1, plan.batchTokens - plan.sequences),
      Math.max(CHUNK_TOKENS_MIN, Math.floor((tuning.chosen.promptTokensPerSecond * CHUNK_MS) / 1000)),
    ),
    shownTokens: markTokens(model),
  };
}

/**
 * Every answer under way gets its one token; prompts share what is left of the batch, in their order. node-llama-cpp's own
 * strategy gives all of them an equal part, so that a prompt of many tokens is cut up though there is room.
 */
export function shareBatch<Item extends { readonly tokens: readonly unknown[] }>(
  items: readonly Item[],
  size: number,
): { item: Item; processAmount: number }[] {
  let left = Math.max(0, size - items.length);
  return items.map(item => {
    const more = Math.min(item.tokens.length - 1, left);
    left -= more;
    return { item, processAmount: 1 + more };
  });
}

function* controlTexts(model: LlamaModel, vocabularySize: number): Iterable<string> {
  for (const token of asTokens(Array.from({ length: vocabularySize }, (_, id) => id)))
    if (model.getTokenAttributes(token).control) yield model.detokenize([token], true);
}

/** Marks that are one token each: some models have them as control tokens, whose text is not shown otherwise. */
function markTokens(model: LlamaModel): ReadonlySet<Token> {
  const marks = [THINK_OPEN, THINK_CLOSE, TOOL_OPEN, TOOL_CLOSE].map(mark => model.tokenize(mark, true));
  return new Set(marks.flatMap(tokens => (tokens.length === 1 ? tokens : [])));
}

/** The instance's own knowledge of the machine, for the log. */
export function machineFacts(llama: Pick<Llama, 'cpuMathCores'>): object {
  return { cores: llama.cpuMathCores, threadsMax: threadsMax(llama) };
}
