import type { Finding, Source } from './source.ts';

interface WordRule {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly message: string;
  /** Where it holds. */
  readonly within: RegExp;
  /** Tests keep it too. */
  readonly inTests?: boolean;
  /** Files that are what the rule speaks of, or speak to a browser. */
  readonly except?: RegExp;
}

const SHIPPED = /^(src|contract)\//;
const ALL = /./;

/** What no line may say, by patterns over code without comments and texts. */
export const WORD_RULES: readonly WordRule[] = [
  {
    rule: 'environment',
    pattern: /\bprocess\.env\b/,
    message: 'only src/config.ts reads the environment, and the entry what must be known before anything is loaded',
    within: SHIPPED,
    except: /^src\/(config|cli\/main)\.ts$/,
  },
  {
    rule: 'outbound',
    pattern: /(?<![.\w])fetch\((?!request: Request)|\bhttps?\.(?:get|request)\(|(?<![.\w])request\((?=\s*\{|\s*\w+,)/,
    message: 'outbound calls go through egress and the upstreams',
    within: SHIPPED,
    // The control plane's own socket, from the gateway and from the command line.
    except: /^src\/(serving\/engines\/|ground\/std\/egress|gateway\/surfaces\/control-proxy\.ts|cli\/client\.ts)/,
  },
  {
    rule: 'clock',
    pattern: /\bDate\.now\b|\bperformance\.now\b|\bnew Date\(\)/,
    message: 'time comes from the Clock that was given',
    within: SHIPPED,
    // The engine host is a process of its own, around a library that knows no other clock.
    except: /^src\/ground\/std\/clock\.ts$|^src\/serving\/engines\/llama\/host\//,
  },
  {
    rule: 'timers',
    pattern: /\b(?:setTimeout|setInterval|setImmediate)\(/,
    message: 'a pure folder waits for nothing',
    within: /^(src\/(models\/dialects|money\/(planner|pricing|metering)|serving\/routing)|contract)\//,
  },
  {
    rule: 'random',
    pattern: /\bMath\.random\b/,
    message: 'randomness is injected, or comes from node:crypto',
    within: SHIPPED,
  },
  {
    rule: 'console',
    pattern: /\bconsole\.\w+/,
    message: 'log events, or write to the streams that were given',
    within: SHIPPED,
  },
  {
    rule: 'code from text',
    pattern: /\beval\(|\bnew Function\(/,
    message: 'no code from text',
    within: ALL,
    inTests: true,
  },
  {
    rule: 'any',
    pattern: /(?<![\w.])any\b(?=\s*[,;)=>[\]|&]|$)|@ts-(?:ignore|expect-error|nocheck)/,
    message: 'no any, and no silenced types',
    within: ALL,
    inTests: true,
  },
  {
    rule: 'cast',
    // `import { A as B }` is none.
    pattern:
      /(?<!^(?:import|export)\b.*)(?<!^\s+(?:type )?\w+ )\bas (?!const\b)(?:unknown\b|readonly\b|[A-Z{[(]|string\b|number\b|bigint\b|boolean\b|never\b|object\b|keyof\b|typeof\b|\w+\[\])/,
    message: 'parse at the edge, no casts',
    within: SHIPPED,
  },
  {
    rule: 'non-null',
    pattern: /[\w)\]]!(?=[.[;,)]|$)/,
    message: 'no ! that says a value is there',
    within: ALL,
    inTests: true,
  },
  { rule: 'default export', pattern: /^export default\b/, message: 'exports have names', within: ALL, inTests: true },
  {
    rule: 'state',
    pattern:
      /^(?:export )?(?:let|var) |^(?:export )?const \w+(?:: (?!Readonly|readonly)[^=]+)? = (?:new (?:Map|Set|WeakMap|WeakSet|Array)\b[^;]*\(\)|\[\]|\{\});$/,
    message: 'no state that all of a process shares',
    within: SHIPPED,
  },
  {
    rule: 'money',
    pattern:
      /\b(?:\w*Nano|(?:\w+(?:Balance|Revenue|Price|Credit|Amount))|balance|revenue|price|credit|amount|charge)\??: number\b/,
    message: 'a number never holds money: bigint nano-units',
    within: SHIPPED,
    // Physics and shares: the decision on the planner's edge says where its money begins.
    except: /^src\/money\/planner\//,
  },
];

/** Comments that silence the type checker are comments: looked for in the text itself. */
const IN_TEXT = /@ts-/;

export function words(sources: readonly Source[], rules: readonly WordRule[] = WORD_RULES): readonly Finding[] {
  return sources.flatMap(source =>
    rules
      .filter(
        ({ within, except, inTests }) =>
          within.test(source.path) && !except?.test(source.path) && (inTests || !source.isTest),
      )
      .flatMap(rule => inLines(source, rule)),
  );
}

function inLines({ path, code, text }: Source, { rule, pattern, message }: WordRule): readonly Finding[] {
  const raw = IN_TEXT.test(pattern.source) ? text.split('\n') : [];
  return code.split('\n').flatMap((line, index) => {
    const silenced = /^\s*(?:\/\/|\/\*)\s*@ts-(?:ignore|expect-error|nocheck)/.test(raw[index] ?? '');
    if (!silenced && !pattern.test(line)) return [];
    return [{ rule, subject: path, line: index + 1, message }];
  });
}
