import { join } from 'node:path';
import { Fault, fingerprintOf, type HomeSecrets, SECRETS_FILE } from '../../ground/std/index.ts';
import { claimFact, type Store } from '../../ground/store/index.ts';

/**
 * Keys are checked, and the sealed keys of providers opened, with the secrets that the database was begun with. Throws Fault
 * `config_invalid` where those of this home are others.
 */
export async function assertSecrets(store: Store, secrets: HomeSecrets, home: string): Promise<void> {
  const own = fingerprintOf(secrets);
  if ((await claimFact(store, 'secrets', own)) === own) return;
  const file = join(home, SECRETS_FILE);
  throw new Fault('config_invalid', {
    message: `${file} does not belong to this database: copy ${SECRETS_FILE} there from the home of a node that works on it`,
    messageZh: `${file} 与此数据库不匹配：请从正在使用该数据库的节点的主目录中复制 ${SECRETS_FILE} 到该处`,
  });
}
