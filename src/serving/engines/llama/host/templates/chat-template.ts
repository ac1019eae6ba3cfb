import { createRequire } from 'node:module';
import { unmarked } from '../requests/exact-json.ts';
import { invalid, type Json } from '../requests/fields.ts';
import { type ControlText, createControlText, mapMembers, mapTexts } from './control-text.ts';
import { createBoundedRun } from './run-bounded.ts';
import { FUNCTION_OPEN, TOOL_CLOSE, TOOL_OPEN } from './tool-notation.ts';

/** What a template is rendered with; further names come from `chat_template_kwargs`. */
export interface TemplateInput {
  readonly messages: readonly Json[];
  readonly tools?: readonly Json[];
  /** Undefined: the template decides. */
  readonly thinking?: boolean;
  readonly more: Json;
}

export interface ChatTemplate {
  /** The model's own, or ChatML where its file has none. */
  readonly source: 'model' | 'chatml';
  readonly text: string;
  /** It describes tools to the model, so they need not be put into words here. */
  readonly showsTools: boolean;
  /** It teaches a notation between `<tool_call>` marks, which can be read back out of an answer. */
  readonly marksToolCalls: boolean;
  /** That notation is Qwen3-Coder's, which may come without the marks. */
  readonly marksFunctions: boolean;
  /**
   * The prompt; what is a control token in a caller's own words has a seam in it (`control-text.ts`).
   * @throws Fault `invalid_parameter` where the template refuses the messages
   */
  render(input: TemplateInput): string;
}

/** Where the end of a turn may come as text, because the tokenizer does not know ChatML. */
export const CHATML_END = '<|im_end|>';
const CHATML = `{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '${CHATML_END}' + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;
/** A template is the model's own program over a caller's data; this is a hundred times what a long conversation takes. */
const RENDER_MS_MAX = 2_000;
/** Marks of an earlier answer that templates look for in it. */
const ANSWER_MARKS: ReadonlySet<string> = new Set(['<think>', '</think>', TOOL_OPEN, TOOL_CLOSE]);
const SMALL_MESSAGES_MAX = 32;
const PROBE = 'probe-7f3a';

interface JinjaTemplate {
  render(input: Json): string;
}

interface Jinja {
  readonly Template: new (text: string) => JinjaTemplate;
}

/** The renderer that node-llama-cpp itself uses, whatever version it brings. */
function loadJinja(): Jinja {
  const require = createRequire(createRequire(import.meta.url).resolve('node-llama-cpp'));
  const found: unknown = require('@huggingface/jinja');
  if (!isJinja(found)) throw new TypeError('@huggingface/jinja has no Template');
  return found;
}

function isJinja(value: unknown): value is Jinja {
  return typeof value === 'object' && value !== null && 'Template' in value && typeof value.Template === 'function';
}

/** What a model's tokenizer says of itself. */
export interface TemplateTokens {
  /** Texts of the begin and end tokens, which many templates put in themselves. */
  readonly bos: string;
  readonly eos: string;
  /** Texts of all control tokens. */
  readonly controls?: Iterable<string>;
}

/** @throws Error where the template itself cannot be parsed */
export function createChatTemplate(text: string | undefined, tokens: TemplateTokens): ChatTemplate {
  const { Template } = loadJinja();
  const used = text ?? CHATML;
  const template = new Template(used);
  const bounded = createBoundedRun(RENDER_MS_MAX);
  const controls = createControlText(tokens.controls ?? []);
  const render = (input: TemplateInput, typed: boolean) => {
    const { messages, tools, thinking, more } = input;
    const run = () =>
      template.render({
        ...mapMembers(more, controls.disarm),
        ...(thinking === undefined ? {} : { enable_thinking: thinking, thinking }),
        ...(tools === undefined ? {} : { tools: tools.map(tool => mapTexts(tool, controls.disarm)) }),
        messages: messages.map(message => shaped(disarmed(message, controls), typed)),
        add_generation_prompt: true,
        bos_token: tokens.bos,
        eos_token: tokens.eos,
      });
    return isSmall(input) ? run() : bounded(run);
  };
  const typed = wantsParts(isTyped => render({ messages: [{ role: 'user', content: PROBE }], more: {} }, isTyped));
  return {
    source: text === undefined ? 'chatml' : 'model',
    text: used,
    showsTools: /\btools\b/.test(used),
    marksToolCalls: /\btools\b/.test(used) && used.includes(TOOL_OPEN),
    marksFunctions: used.includes(FUNCTION_OPEN),
    render(input) {
      try {
        return unmarked(render(input, typed));
      } catch (error) {
        // Templates refuse by raise_exception: roles that do not alternate, a system message they do not know.
        const reason = error instanceof Error ? error.message.slice(0, 300) : 'unknown';
        throw invalid(
          'messages',
          `do not fit the chat template of this model: ${reason}`,
          `不符合此模型的对话模板：${reason}`,
        );
      }
    },
  };
}

/** What no loop over loops makes long: the watch over time costs more than it renders. */
function isSmall({ messages, tools, more }: TemplateInput): boolean {
  const isPlain = messages.every(
    ({ content, tool_calls: calls }) => typeof content === 'string' && calls === undefined,
  );
  return isPlain && messages.length <= SMALL_MESSAGES_MAX && tools === undefined && Object.keys(more).length <= 2;
}

/** Words of a caller; an earlier answer keeps the marks that templates part it by. */
function disarmed(message: Json, controls: ControlText): Json {
  const spared = message['role'] === 'assistant' ? ANSWER_MARKS : undefined;
  return mapMembers(message, text => controls.disarm(text, spared));
}

/** A message as the template wants it: its content as text, or as a list of parts. */
function shaped(message: Json, typed: boolean): Json {
  const { content } = message;
  if (!typed || typeof content !== 'string') return message;
  return { ...message, content: content === '' ? [] : [{ type: 'text', text: content }] };
}

/** Whether the template shows a message only where its content is a list of parts: tried, since no template says so. */
function wantsParts(render: (typed: boolean) => string): boolean {
  const shows = (typed: boolean) => {
    try {
      return render(typed).includes(PROBE);
    } catch {
      return false;
    }
  };
  return !shows(false) && shows(true);
}
