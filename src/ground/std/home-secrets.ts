import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable.ts';
import { Fault } from './fault.ts';
import { Secret } from './secret.ts';

/** What no key can be checked and no sealed secret opened without. */
export interface HomeSecrets {
  readonly pepper: Secret;
  readonly master: Secret;
}

export const SECRETS_FILE = 'secrets.json';

/**
 * The secrets of a home, made at its first start, durable before anything depends on them. Where one of `beside` is there
 * already, new ones would refuse every key ever made: then, and where the file cannot be used, throws Fault `config_invalid`.
 */
export function readSecrets(home: string, beside: readonly string[]): HomeSecrets {
  const file = join(home, SECRETS_FILE);
  if (!existsSync(file)) {
    const there = beside.find(name => existsSync(join(home, name)));
    if (there !== undefined) throw unusable(file, `it is missing beside ${there}`, `它已丢失，而 ${there} 还在`);
    const fresh = () => randomBytes(32).toString('base64url');
    writeDurably(file, JSON.stringify({ pepper: fresh(), master: fresh() }));
  }
  const { pepper, master } = parse(file);
  if (typeof pepper !== 'string' || typeof master !== 'string' || pepper === '' || master === '')
    throw unusable(file, 'it does not hold its secrets', '其中没有密钥');
  return { pepper: new Secret(pepper), master: new Secret(master) };
}

/** Tells whether two homes have the same secrets, and nothing else of them. */
export function fingerprintOf({ pepper, master }: HomeSecrets): string {
  const inner = createHmac('sha256', master.reveal()).update('millrace secrets v1').digest();
  return createHmac('sha256', pepper.reveal()).update(inner).digest('base64url');
}

function parse(file: string): { readonly pepper?: unknown; readonly master?: unknown } {
  const text = readFileSync(file, 'utf8');
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function unusable(file: string, why: string, whyZh: string): Fault {
  return new Fault('config_invalid', {
    message: `${file} cannot be used (${why}): put it back from a backup`,
    messageZh: `${file} 无法使用（${whyZh}）：请从备份中恢复`,
  });
}
