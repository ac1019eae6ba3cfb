import { createRequire } from 'node:module';
import { invalid, type Json } from '../requests/fields.ts';
import { TOOL_OPEN } from './tool-text.ts';

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
  /** It teaches the `<tool_call>` notation, which can be read back out of an answer. */
  readonly marksToolCalls: boolean;
  /** @throws Fault `invalid_parameter` where the template refuses the messages */
  render(input: TemplateInput): string;
}

/** Where the end of a turn may come as text, because the tokenizer does not know ChatML. */
export const CHATML_END = '<|im_end|>';
const CHATML = `{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '${CHATML_END}' + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`;

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

/**
 * @param tokens texts of the begin and end tokens, which many templates put in themselves
 * @throws Error where the template itself cannot be parsed
 */
export function createChatTemplate(
  text: string | undefined,
  tokens: { readonly bos: string; readonly eos: string },
): ChatTemplate {
  const { Template } = loadJinja();
  const source = text === undefined ? 'chatml' : 'model';
  const used = text ?? CHATML;
  const template = new Template(used);
  return {
    source,
    text: used,
    showsTools: /\btools\b/.test(used),
    marksToolCalls: /\btools\b/.test(used) && used.includes(TOOL_OPEN),
    render({ messages, tools, thinking, more }) {
      try {
        return template.render({
          ...more,
          ...(thinking === undefined ? {} : { enable_thinking: thinking, thinking }),
          ...(tools === undefined ? {} : { tools }),
          messages,
          add_generation_prompt: true,
          bos_token: tokens.bos,
          eos_token: tokens.eos,
        });
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
