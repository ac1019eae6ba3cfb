const MONTHS_31 = '("0" [13578] | "1" [02])';
const MONTHS_30 = '("0" [469] | "11")';
const DAY_28 = '"0" [1-9] | "1" [0-9] | "2" [0-8]';
/** Two digits that a number divisible by four ends in, `00` left out. */
const LEAP = '("0" [48] | [2468] [048] | [13579] [26])';
/** Every day of the calendar and no other: 29 February in leap years alone (RFC 3339, appendix C). */
const DATE = `([0-9]{4} "-" (${MONTHS_31} "-" (${DAY_28} | "29" | "3" [01]) | ${MONTHS_30} "-" (${DAY_28} | "29" | "30") | "02-" (${DAY_28})) | ([0-9]{2} ${LEAP} | ("00" | ${LEAP}) "00") "-02-29")`;
const CLOCK = '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9]';
const TIME = `${CLOCK} ":" [0-5] [0-9] ("." [0-9]{1,9})? ("Z" | [+-] ${CLOCK})`;
const OCTET = '("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9] [0-9] | [0-9])';
const LABEL = '[a-zA-Z0-9] ([a-zA-Z0-9-]{0,30} [a-zA-Z0-9])?';
const HOST = `${LABEL} ("." ${LABEL}){0,5}`;
const HEX4 = '[0-9a-f]{1,4}';
const PATH_CHARACTER = '[a-zA-Z0-9._~/?&=%+:@,;-]';

/** Texts of one format. */
export interface TextFormat {
  /** Without the quotes. */
  readonly expression: string;
  readonly least: number;
  readonly most: number;
  /** What zod 4 writes beside the format where that is no pattern of the safe subset; the expression is within it. */
  readonly pattern?: string;
}

/** Of JSON Schema's validation vocabulary, 7.3. Each expression is within its format; it may be narrower. */
const FORMATS: ReadonlyMap<unknown, TextFormat> = new Map<unknown, TextFormat>([
  ['date', { expression: DATE, least: 10, most: 10 }],
  ['time', { expression: TIME, least: 9, most: 24 }],
  ['date-time', { expression: `${DATE} "T" ${TIME}`, least: 20, most: 35 }],
  [
    'duration',
    {
      expression: '"P" ([0-9]{1,9} "D" ("T" [0-9]{1,9} [HMS])? | "T" [0-9]{1,9} [HMS] | [0-9]{1,9} [WMY])',
      least: 3,
      most: 22,
      pattern:
        '^P(?:(\\d+W)|(?!.*W)(?=\\d|T\\d)(\\d+Y)?(\\d+M)?(\\d+D)?(T(?=\\d)(\\d+H)?(\\d+M)?(\\d+([.,]\\d+)?S)?)?)$',
    },
  ],
  [
    'uuid',
    {
      expression: '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [1-8] [0-9a-f]{3} "-" [89ab] [0-9a-f]{3} "-" [0-9a-f]{12}',
      least: 36,
      most: 36,
    },
  ],
  [
    'email',
    {
      expression: `[a-zA-Z0-9_+-]{1,32} ("." [a-zA-Z0-9_+-]{1,32}){0,3} "@" (${LABEL} "."){1,3} [a-zA-Z]{2,20}`,
      least: 6,
      most: 251,
    },
  ],
  [
    'hostname',
    {
      expression: HOST,
      least: 1,
      most: 197,
      pattern:
        '^(?=.{1,253}\\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[-0-9a-zA-Z]{0,61}[0-9a-zA-Z])?)*\\.?$',
    },
  ],
  ['ipv4', { expression: `${OCTET} ("." ${OCTET}){3}`, least: 7, most: 15 }],
  ['ipv6', { expression: `${HEX4} (":" ${HEX4}){7}`, least: 15, most: 39 }],
  [
    'uri',
    {
      expression: `"http" "s"? "://" ${HOST} (":" [1-9] [0-9]{0,3})? ("/" ${PATH_CHARACTER}{0,512})?`,
      least: 8,
      most: 723,
    },
  ],
]);

/** Undefined where no grammar is known for `format`. */
export function textFormat(format: unknown): TextFormat | undefined {
  return FORMATS.get(format);
}

/** Formats that say nothing about which texts are valid (OpenAPI, pydantic). */
export const FREE_FORMATS: ReadonlySet<unknown> = new Set([
  'password',
  'binary',
  'path',
  'file-path',
  'directory-path',
]);
