import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Fault, type Secret } from '../../ground/std/index.ts';

/** Seals secrets at rest; `binding` names what the secret belongs to, and only the same binding opens it. */
export interface Seal {
  seal(text: string, binding: string): string;
  /** Throws Fault `config_invalid` where the key is another or the binding differs. */
  open(sealed: string, binding: string): string;
}

/** AES-256-GCM under a key derived per record (HKDF-SHA-256 with a random salt), the binding as associated data. */
export function createSeal(master: Secret): Seal {
  const derive = (salt: Buffer) => Buffer.from(hkdfSync('sha256', master.reveal(), salt, 'millrace seal v1', 32));
  return {
    seal(text, binding) {
      const salt = randomBytes(16);
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', derive(salt), nonce).setAAD(Buffer.from(binding));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `v1.${Buffer.concat([salt, nonce, cipher.getAuthTag(), body]).toString('base64url')}`;
    },
    open(sealed, binding) {
      try {
        if (!sealed.startsWith('v1.')) throw new Error('sealed by a newer version');
        const bytes = Buffer.from(sealed.slice(3), 'base64url');
        const decipher = createDecipheriv('aes-256-gcm', derive(bytes.subarray(0, 16)), bytes.subarray(16, 28))
          .setAAD(Buffer.from(binding))
          .setAuthTag(bytes.subarray(28, 44));
        return Buffer.concat([decipher.update(bytes.subarray(44)), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new Fault('config_invalid', {
          message: `The secret of ${binding} cannot be opened: the master key in MILLRACE_HOME is not the one that sealed it`,
          messageZh: `无法解开 ${binding} 的密钥：MILLRACE_HOME 中的主密钥与加密时不同`,
          cause,
        });
      }
    },
  };
}
