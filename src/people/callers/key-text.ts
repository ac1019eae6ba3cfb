import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Secret } from '../../ground/std/index.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 26 base62 characters are 154 bits: above 128 with room. */
const RANDOM_LENGTH = 26;
const CHECKSUM_LENGTH = 6;
const FORM = /^(mr_(?:live|admin))_([0-9A-Za-z]{22,43})_([0-9A-Za-z]{6})$/;

export type KeyKind = 'live' | 'admin';

/** A new key: `mr_live_<random>_<checksum>`. The underscores let a double click take it whole; the checksum lets scanners and the gateway refuse typos offline (GitHub's design, 2021). */
export function createKeyText(kind: KeyKind): string {
  const head = `mr_${kind}_${randomText()}`;
  return `${head}_${checksum(head)}`;
}

/** Rejection sampling: 248 is the largest multiple of 62 in a byte, so that every character is equally likely. */
function randomText(): string {
  let text = '';
  while (text.length < RANDOM_LENGTH) {
    for (const byte of randomBytes(RANDOM_LENGTH * 2))
      if (byte < 248 && text.length < RANDOM_LENGTH) text += ALPHABET[byte % 62];
  }
  return text;
}

function checksum(head: string): string {
  let rest = crc32(head);
  let text = '';
  for (let index = 0; index < CHECKSUM_LENGTH; index++) {
    text = (ALPHABET[rest % 62] ?? '0') + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** Kind of a well-formed key, its checksum right; undefined for anything else. Says nothing about whether it exists. */
export function keyKindOf(text: string): KeyKind | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, prefix = '', random = '', sum] = match;
  if (checksum(`${prefix}_${random}`) !== sum) return undefined;
  return prefix === 'mr_admin' ? 'admin' : 'live';
}

/** HMAC-SHA-256 of a key under the pepper, hex: what is stored and looked up. The pepper stays outside the database. */
export function createKeyHasher(pepper: Secret): (key: string) => string {
  return key => createHmac('sha256', pepper.reveal()).update(key).digest('hex');
}
