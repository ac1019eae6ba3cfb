/** English and Chinese are equals: whatever a person sees exists in both. */
export type Lang = 'en' | 'zh';
export type Words = Readonly<Record<Lang, string>>;

/** The reader's language by Accept-Language (RFC 9110 §12.5.4): of the two, the one with the higher weight; English when neither is named. */
export function langOfHeader(acceptLanguage: string | undefined): Lang {
  let best: Lang = 'en';
  let bestWeight = 0;
  for (const part of (acceptLanguage ?? '').slice(0, 1_024).split(',')) {
    const [tag = '', ...parameters] = part.trim().toLowerCase().split(';');
    const lang = /^zh\b/.test(tag) ? 'zh' : /^en\b/.test(tag) ? 'en' : undefined;
    const q = parameters.map(parameter => /^\s*q=([\d.]+)\s*$/.exec(parameter)?.[1]).find(text => text !== undefined);
    const weight = q === undefined ? 1 : Number(q);
    if (lang !== undefined && weight > bestWeight) {
      best = lang;
      bestWeight = weight;
    }
  }
  return best;
}
