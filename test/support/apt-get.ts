import { spawnSync } from 'node:child_process';

/** Together below the time that a test file has. */
const INSTALL_MS = 180_000;
const UPDATE_MS = 60_000;
/** Another test file may be installing. */
const OPTIONS = ['--quiet', '--option=Acquire::http::Timeout=20', '--option=DPkg::Lock::Timeout=60'];

/** Installs Debian packages where this process may; the reason why not where it may not, or where it failed. */
export function aptGet(...packages: readonly string[]): { readonly reason: string } | undefined {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0)
    return { reason: `install ${packages.join(', ')} first: only root can, with apt-get` };
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (timeout: number, ...argv: readonly string[]) =>
    spawnSync('apt-get', [...OPTIONS, ...argv], { encoding: 'utf8', env, timeout });
  const install = () => run(INSTALL_MS, 'install', '--yes', '--no-install-recommends', ...packages);
  // Lists are fetched only where those at hand do not do: they are tens of megabytes.
  const first = install();
  if (first.status === 0) return undefined;
  const last = run(UPDATE_MS, 'update').status === 0 ? install() : first;
  if (last.status === 0) return undefined;
  return { reason: `apt-get install ${packages.join(' ')}: ${lastLine(last.stderr)}` };
}

export function lastLine(...texts: readonly string[]): string {
  return texts.join('\n').trim().split('\n').at(-1) ?? '';
}
