/** What one of a meter is. Quantities are whole numbers of it. */
export type MeterUnit =
  | 'token'
  | 'millisecond'
  | 'image'
  | 'pixel'
  | 'character'
  | 'page'
  | 'request'
  | 'search'
  | 'call'
  | 'megabyteHour'
  /** A thousand tokens a minute, for a day. */
  | 'reservedDay'
  | 'modelUnitDay';

interface MeterRow {
  readonly id: string;
  readonly unit: MeterUnit;
  /** People price so many units at once: a million tokens, a second, an image. */
  readonly priced: 1 | 1_000 | 1_000_000;
  /** Of which other meter it is a part: its units are among the units of that one. */
  readonly partOf?: string;
  /** Parts of one whole along one axis do not overlap; along different axes they may: a cached image is in both. */
  readonly axis?: 'cache' | 'lifetime' | 'kind';
  readonly title: { readonly en: string; readonly zh: string };
}

const row = <const Row extends MeterRow>(meter: Row): Row => meter;

/**
 * All that usage is counted in. A new meter is one more row. A part stands below its whole; in which order the parts of a whole
 * are named is the order in which they are charged, where two of them overlap.
 *
 * Cache writes have a whole of their own, because vendors report their sum and, beside it, how long each part lives (OpenAI 30
 * minutes and 12 hours, Anthropic 5 minutes and 1 hour).
 */
export const METERS = [
  row({ id: 'input', unit: 'token', priced: 1_000_000, title: { en: 'input', zh: '输入' } }),
  row({
    id: 'cachedInput',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'input',
    axis: 'cache',
    title: { en: 'cached input', zh: '缓存命中输入' },
  }),
  row({
    id: 'cacheWrite',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'input',
    axis: 'cache',
    title: { en: 'cache write', zh: '缓存写入' },
  }),
  row({
    id: 'cacheWrite5m',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'cacheWrite',
    axis: 'lifetime',
    title: { en: 'cache write for 5 minutes', zh: '缓存写入（5 分钟）' },
  }),
  row({
    id: 'cacheWrite30m',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'cacheWrite',
    axis: 'lifetime',
    title: { en: 'cache write for 30 minutes', zh: '缓存写入（30 分钟）' },
  }),
  row({
    id: 'cacheWrite1h',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'cacheWrite',
    axis: 'lifetime',
    title: { en: 'cache write for 1 hour', zh: '缓存写入（1 小时）' },
  }),
  row({
    id: 'cacheWrite12h',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'cacheWrite',
    axis: 'lifetime',
    title: { en: 'cache write for 12 hours', zh: '缓存写入（12 小时）' },
  }),
  row({
    id: 'imageInput',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'input',
    axis: 'kind',
    title: { en: 'image input', zh: '图像输入' },
  }),
  row({
    id: 'audioInput',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'input',
    axis: 'kind',
    title: { en: 'audio input', zh: '音频输入' },
  }),
  row({
    id: 'videoInput',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'input',
    axis: 'kind',
    title: { en: 'video input', zh: '视频输入' },
  }),
  row({ id: 'output', unit: 'token', priced: 1_000_000, title: { en: 'output', zh: '输出' } }),
  row({
    id: 'reasoning',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'output',
    axis: 'kind',
    title: { en: 'reasoning', zh: '推理' },
  }),
  row({
    id: 'imageOutput',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'output',
    axis: 'kind',
    title: { en: 'image output', zh: '图像输出' },
  }),
  row({
    id: 'audioOutput',
    unit: 'token',
    priced: 1_000_000,
    partOf: 'output',
    axis: 'kind',
    title: { en: 'audio output', zh: '音频输出' },
  }),
  row({ id: 'audioInputTime', unit: 'millisecond', priced: 1_000, title: { en: 'audio heard', zh: '音频输入时长' } }),
  row({ id: 'audioOutputTime', unit: 'millisecond', priced: 1_000, title: { en: 'audio made', zh: '音频输出时长' } }),
  row({ id: 'videoTime', unit: 'millisecond', priced: 1_000, title: { en: 'video made', zh: '视频时长' } }),
  row({ id: 'images', unit: 'image', priced: 1, title: { en: 'images made', zh: '生成图像' } }),
  row({ id: 'pixels', unit: 'pixel', priced: 1_000_000, title: { en: 'pixels made', zh: '生成像素' } }),
  row({ id: 'characters', unit: 'character', priced: 1_000_000, title: { en: 'characters', zh: '字符' } }),
  row({ id: 'pages', unit: 'page', priced: 1, title: { en: 'pages', zh: '页' } }),
  row({ id: 'requests', unit: 'request', priced: 1, title: { en: 'requests', zh: '请求' } }),
  row({ id: 'searches', unit: 'search', priced: 1, title: { en: 'searches', zh: '搜索' } }),
  row({ id: 'toolCalls', unit: 'call', priced: 1, title: { en: 'tool calls', zh: '工具调用' } }),
  row({ id: 'trainedTokens', unit: 'token', priced: 1_000_000, title: { en: 'trained tokens', zh: '训练词元' } }),
  row({ id: 'deviceTime', unit: 'millisecond', priced: 1_000, title: { en: 'device time', zh: '设备时长' } }),
  row({ id: 'storage', unit: 'megabyteHour', priced: 1_000, title: { en: 'storage', zh: '存储' } }),
  row({ id: 'reservedInput', unit: 'reservedDay', priced: 1, title: { en: 'reserved input', zh: '预留输入吞吐' } }),
  row({ id: 'reservedOutput', unit: 'reservedDay', priced: 1, title: { en: 'reserved output', zh: '预留输出吞吐' } }),
  row({ id: 'modelUnits', unit: 'modelUnitDay', priced: 1, title: { en: 'model units', zh: '模型单元' } }),
] as const;

export type MeterId = (typeof METERS)[number]['id'];

export interface Meter extends MeterRow {
  readonly id: MeterId;
  readonly partOf?: MeterId;
  /** In the order in which they are charged. */
  readonly parts: readonly Meter[];
}

function meterOf(each: (typeof METERS)[number]): Meter {
  const parts: readonly Meter[] = METERS.filter(other => 'partOf' in other && other.partOf === each.id).map(meterOf);
  return { ...each, parts };
}

const BY_ID: ReadonlyMap<string, Meter> = new Map(METERS.map(each => [each.id, meterOf(each)]));

/** Undefined where there is no such meter. */
export function findMeter(id: string): Meter | undefined {
  return BY_ID.get(id);
}

/** The meters that are part of no other: each unit of usage is a unit of exactly one of them. */
export const WHOLES: readonly Meter[] = [...BY_ID.values()].filter(({ partOf }) => partOf === undefined);

export const METER_IDS: readonly MeterId[] = METERS.map(({ id }) => id);

/** Largest count of one meter in one request: with it and the dearest price a line stays far below int64. */
export const UNITS_MAX = 1_000_000_000;

export interface MeterCount {
  readonly meter: MeterId;
  /** A whole number of the meter's unit. */
  readonly units: number;
}

/** What a request used. The four that nearly every request has are fields; the others stand in a list, and only where they are. */
export interface UsageVector {
  readonly inputTokens: number;
  /** Part of `inputTokens`. */
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  /** Part of `outputTokens`. */
  readonly reasoningTokens: number;
  /** Counts of other meters, none of them zero, no meter twice, in the order of {@link METERS}. Absent: none. */
  readonly more?: readonly MeterCount[];
}

/** What a price may depend on beside quantity, service class and time. A new one is one more row. */
export const PRICE_ATTRIBUTES = [
  { id: 'size', title: { en: 'size', zh: '尺寸' } },
  { id: 'quality', title: { en: 'quality', zh: '质量' } },
  { id: 'resolution', title: { en: 'resolution', zh: '分辨率' } },
  { id: 'speed', title: { en: 'speed', zh: '速度' } },
  { id: 'region', title: { en: 'region', zh: '区域' } },
  { id: 'thinking', title: { en: 'thinking', zh: '思考' } },
  { id: 'device', title: { en: 'device', zh: '设备' } },
] as const;

export type PriceAttribute = (typeof PRICE_ATTRIBUTES)[number]['id'];

export const PRICE_ATTRIBUTE_IDS: readonly PriceAttribute[] = PRICE_ATTRIBUTES.map(({ id }) => id);
