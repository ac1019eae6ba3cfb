// The commands of the tool, one file per noun: each asks the control API and shows the answer. No rule of the domain lives here.
import type { Command } from '../command.ts';
import { apply } from './apply.ts';
import { AUDIT_COMMANDS } from './audit.ts';
import { backup, restore } from './backup.ts';
import { JOB_COMMANDS } from './jobs.ts';
import { KEY_COMMANDS } from './keys.ts';
import { inspect, verify } from './ledger.ts';
import { MODEL_COMMANDS } from './models.ts';
import { ORGANIZATION_COMMANDS } from './organizations.ts';
import { PROVIDER_COMMANDS } from './providers.ts';
import { bench, serve } from './serve.ts';
import { SUSPENSE_COMMANDS } from './suspense.ts';
import { usage } from './usage.ts';
import { WALLET_COMMANDS } from './wallets.ts';

/** Parsed by its own rules: see `planCommand`. */
const plan: Command = {
  name: 'plan',
  about: {
    en: 'will this model earn? `millrace plan help` says more',
    zh: '这个模型能赚钱吗？详见 `millrace plan help`',
  },
  flags: [],
  examples: ['plan list scenarios', 'plan case deepseek-day'],
  json: '—',
  run: async () => 0,
};

const version: Command = {
  name: 'version',
  about: { en: 'version of Millrace and of Node', zh: '显示 Millrace 与 Node 的版本' },
  flags: [],
  examples: ['version'],
  json: '{"version","node"}',
  async run(call) {
    const { VERSION } = await import('../../main.ts');
    call.answer(
      { version: VERSION, node: process.versions.node },
      () => `millrace ${VERSION} (node ${process.versions.node})`,
    );
    return 0;
  },
};

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  serve,
  apply,
  ...KEY_COMMANDS,
  ...ORGANIZATION_COMMANDS,
  ...WALLET_COMMANDS,
  ...PROVIDER_COMMANDS,
  ...MODEL_COMMANDS,
  usage,
  verify,
  inspect,
  ...SUSPENSE_COMMANDS,
  ...JOB_COMMANDS,
  ...AUDIT_COMMANDS,
  backup,
  restore,
  bench,
  plan,
  version,
];
