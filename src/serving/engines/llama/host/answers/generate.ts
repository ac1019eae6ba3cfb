import {
  type LlamaContextSequence,
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  type SequenceEvaluateOptions,
  type Token,
  TokenBias,
} from 'node-llama-cpp';
import type { Engine, Generator } from '../model/engine.ts';
import { TokenText } from '../model/token-text.ts';
import type { Sampling } from '../requests/parse-sampling.ts';
import { asTokens } from '../requests/prompt-tokens.ts';
import { type AnswerPiece, type AnswerShape, AnswerText } from '../templates/answer-text.ts';
import { THINK_CLOSE } from '../templates/marked-text.ts';

/** One answer that is wanted. */
export interface Generation {
  readonly promptTokens: readonly Token[];
  readonly sampling: Sampling;
  readonly maxTokens?: number;
  readonly shape: AnswerShape;
  /** What the answer (not the thinking before it) must follow. */
  readonly grammar?: LlamaGrammar;
  /** Alternatives to report with each token of the answer; undefined: none. */
  readonly logprobs?: number;
  readonly signal: AbortSignal;
  /** The request, which may want several answers. */
  readonly owner: object;
}

/** A token of the answer and how likely it was in the distribution it was drawn from. */
export interface TokenLogprob {
  readonly token: Token;
  readonly logprob: number;
  readonly top: readonly (readonly [token: Token, logprob: number])[];
}

export interface GeneratedPiece extends AnswerPiece {
  readonly logprobs: readonly TokenLogprob[];
}

export interface Generated {
  /** `stop`: the model's own end, a stop string, or the end of the grammar. */
  readonly finish: 'stop' | 'length';
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Sampled, with the end token. */
  readonly completionTokens: number;
  readonly reasoningTokens: number;
}

/** OpenAI's own floor for a token that cannot come. */
const LOGPROB_MIN = -9999;

/**
 * Generates one answer, giving out its text as it grows.
 * @throws the signal's reason when aborted; the sequence is free again by then
 */
export async function generate(
  engine: Engine & { readonly generator: Generator },
  want: Generation,
  onPiece: (piece: GeneratedPiece) => void,
): Promise<Generated> {
  const { generator, metrics, nowMs } = engine;
  const lease = await generator.pool.acquire(want.promptTokens, want.signal);
  const startMs = nowMs();
  let state: 'whole' | 'broken' = 'whole';
  try {
    const rest = await evaluatePrompt(engine, lease.sequence, want, lease.cachedTokens);
    const answer = new Answer(engine, want, onPiece);
    const finish = await sampleAnswer(engine, lease.sequence, rest, want, answer, () => {
      metrics.promptMs += nowMs() - startMs;
    });
    const { completionTokens, reasoningTokens } = answer;
    metrics.predictedMs += nowMs() - answer.firstMs;
    return {
      finish,
      promptTokens: want.promptTokens.length,
      cachedTokens: lease.cachedTokens,
      completionTokens,
      reasoningTokens,
    };
  } catch (error) {
    if (error !== want.signal.reason) state = 'broken';
    throw error;
  } finally {
    metrics.promptTokens += want.promptTokens.length - lease.cachedTokens;
    metrics.cachedTokens += lease.cachedTokens;
    await lease.release(state);
  }
}

/** All but the last part of the prompt, in parts short enough that an abort and other answers need not wait long. */
async function evaluatePrompt(
  { generator: { pool, chunkTokens }, watch }: Engine & { readonly generator: Generator },
  sequence: LlamaContextSequence,
  { promptTokens, signal, owner }: Generation,
  cachedTokens: number,
): Promise<Token[]> {
  const step = { owner, isSuspect: () => false };
  let rest = promptTokens.slice(cachedTokens);
  while (rest.length > chunkTokens) {
    signal.throwIfAborted();
    const part = rest.slice(0, chunkTokens);
    await pool.step(() => watch.during(step, () => sequence.evaluateWithoutGeneratingNewTokens(part)));
    rest = rest.slice(chunkTokens);
  }
  return rest;
}

async function sampleAnswer(
  engine: Engine & { readonly generator: Generator },
  sequence: LlamaContextSequence,
  tokens: Token[],
  want: Generation,
  answer: Answer,
  onFirst: () => void,
): Promise<'stop' | 'length'> {
  const { model, plan, generator } = engine;
  const room = plan.contextTokens - want.promptTokens.length;
  const tokensMax = Math.min(want.maxTokens ?? room, room);
  const grammar = want.grammar && new LlamaGrammarEvaluationState({ model, grammar: want.grammar });
  let bound = false;
  const step = { owner: want.owner, isSuspect: () => bound };
  const options = samplingOptions(engine, want, answer, () => {
    // Asked before each token, so that thinking is free and the answer is bound.
    bound = grammar !== undefined && !answer.text.thinking;
    return bound ? grammar : undefined;
  });
  const metadata = { probabilities: want.logprobs !== undefined };
  const steps = sequence.evaluateWithMetadata(tokens, metadata, options);
  let inPlace: Token[] | undefined;
  try {
    for (;;) {
      const { value, done } = await generator.pool.step(() => engine.watch.during(step, () => steps.next(inPlace)));
      bound = false;
      want.signal.throwIfAborted();
      if (done || value === undefined) return answer.end('stop');
      if (answer.completionTokens === 0) onFirst();
      const isEnd = model.isEogToken(value.token);
      const probabilities =
        'probabilities' in value && value.probabilities instanceof Map ? value.probabilities : undefined;
      // An answer that a grammar binds is owed: who ends while thinking is taken to have ended the thinking.
      inPlace = isEnd && want.grammar && answer.text.thinking ? model.tokenize(THINK_CLOSE, true) : undefined;
      if (inPlace === undefined) answer.push(value.token, probabilities, isEnd);
      else for (const token of inPlace) answer.push(token, undefined, false);
      if (answer.text.stopped) return answer.end('stop');
      if (isEnd && inPlace === undefined && !want.sampling.ignoreEnd) return answer.end('stop');
      if (answer.completionTokens >= tokensMax) return answer.end('length');
    }
  } finally {
    await steps.return();
  }
}

function samplingOptions(
  engine: Engine,
  want: Generation,
  answer: Answer,
  grammarNow: () => LlamaGrammarEvaluationState | undefined,
): SequenceEvaluateOptions {
  const { sampling } = want;
  const penalised =
    sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0 || sampling.repetitionPenalty !== 1;
  const bias = tokenBias(engine, sampling);
  return {
    temperature: sampling.temperature,
    topK: sampling.topK,
    topP: sampling.topP,
    minP: sampling.minP,
    seed: sampling.seed,
    yieldEogToken: true,
    ...(penalised
      ? {
          repeatPenalty: {
            // The answer alone, as OpenAI has it: a prompt that says a word often does not forbid it.
            punishTokens: () => [...answer.tokens],
            penalty: sampling.repetitionPenalty,
            presencePenalty: sampling.presencePenalty,
            frequencyPenalty: sampling.frequencyPenalty,
          },
        }
      : {}),
    ...(bias === undefined ? {} : { tokenBias: bias }),
    ...(want.grammar === undefined ? {} : { grammarEvaluationState: grammarNow }),
  };
}

function tokenBias({ model }: Engine, { logitBias }: Sampling): TokenBias | undefined {
  if (logitBias.size === 0) return undefined;
  const bias = TokenBias.for(model);
  for (const [token, value] of logitBias) {
    const [id] = asTokens([token]);
    if (id !== undefined) bias.set(id, value === -100 ? 'never' : { logit: value });
  }
  return bias;
}

/** What became of the tokens so far. */
class Answer {
  readonly text: AnswerText;
  readonly tokens: Token[] = [];
  reasoningTokens = 0;
  firstMs = 0;
  private readonly engine: Engine;
  private readonly want: Generation;
  private readonly onPiece: (piece: GeneratedPiece) => void;
  private readonly characters: TokenText<Token>;
  private logprobs: TokenLogprob[] = [];

  constructor(
    engine: Engine & { readonly generator: Generator },
    want: Generation,
    onPiece: (piece: GeneratedPiece) => void,
  ) {
    this.engine = engine;
    this.want = want;
    this.onPiece = onPiece;
    this.text = new AnswerText(want.shape);
    this.characters = new TokenText(engine.model, engine.generator.shownTokens);
  }

  get completionTokens(): number {
    return this.tokens.length;
  }

  push(token: Token, probabilities: ReadonlyMap<Token, number> | undefined, isEnd: boolean): void {
    if (this.tokens.length === 0) this.firstMs = this.engine.nowMs();
    this.tokens.push(token);
    this.engine.metrics.predictedTokens += 1;
    const wasThinking = this.text.thinking;
    if (wasThinking) this.reasoningTokens += 1;
    if (isEnd) return;
    const piece = this.text.push(this.characters.push(token));
    // The token that opened the thinking belongs to it.
    if (!wasThinking && this.text.thinking) this.reasoningTokens += 1;
    // Of thinking, and of the white space around it, nothing is reported.
    if (!this.text.answering) this.logprobs = [];
    else if (probabilities !== undefined) this.logprobs.push(this.logprob(token, probabilities));
    this.give(piece);
  }

  end(finish: 'stop' | 'length'): 'stop' | 'length' {
    this.give(this.text.push(this.characters.end()));
    this.give(this.text.end());
    return finish;
  }

  private give(piece: AnswerPiece): void {
    if (piece.reasoning === '' && piece.content === '' && piece.calls.length === 0) return;
    const logprobs = piece.content === '' ? [] : this.logprobs;
    if (piece.content !== '') this.logprobs = [];
    this.onPiece({ ...piece, logprobs });
  }

  private logprob(token: Token, probabilities: ReadonlyMap<Token, number>): TokenLogprob {
    const log = (probability: number) => (probability > 0 ? Math.max(LOGPROB_MIN, Math.log(probability)) : LOGPROB_MIN);
    const top: [Token, number][] = [];
    for (const [other, probability] of probabilities) {
      if (top.length >= (this.want.logprobs ?? 0)) break;
      top.push([other, log(probability)]);
    }
    return { token, logprob: log(probabilities.get(token) ?? 0), top };
  }
}
