import { spawnSync } from 'node:child_process';

const INSTALL_MS = 300_000;

/** Installs Debian packages where this process may; the reason why not where it may not, or where it failed. */
export function aptGet(...packages: readonly string[]): { readonly reason: string } | undefined {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0)
    return { reason: `install ${packages.join(', ')} first: only root can, with apt-get` };
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (...argv: readonly string[]) =>
    spawnSync('apt-get', argv, { encoding: 'utf8', env, timeout: INSTALL_MS });
  const install = () => run('install', '--yes', '--quiet', '--no-install-recommends', ...packages);
  // Lists are fetched only where those at hand do not do: they are tens of megabytes.
  if (install().status === 0) return undefined;
  run('update', '--quiet');
  const { status, stderr } = install();
  return status === 0 ? undefined : { reason: `apt-get install ${packages.join(' ')}: ${lastLine(stderr)}` };
}

export function lastLine(...texts: readonly string[]): string {
  return texts.join('\n').trim().split('\n').at(-1) ?? '';
}
