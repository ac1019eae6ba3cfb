import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { aptGet, lastLine } from './apt-get.ts';

const REQUIREMENTS = resolve(import.meta.dirname, '../python/requirements.txt');
const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache/millrace-python');
/** Young enough for the pinned client, and able to make environments: Debian has that in a package of its own. */
const FITS = 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 10))';
const STEP_MS = 180_000;

/**
 * A Python with the packages of `test/python/requirements.txt`, in a virtual environment that is made once per version of
 * that file; or the reason why there is none here.
 */
export function findPython(): { readonly python: string } | { readonly reason: string } {
  const wanted = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex');
  const folder = join(CACHE, wanted.slice(0, 16));
  const within = process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python';
  if (existsSync(join(folder, within))) return { python: join(folder, within) };
  const fitting = () => ['python3', 'python'].find(name => spawnSync(name, ['-c', FITS]).status === 0);
  const system = fitting() ?? (aptGet('python3', 'python3-venv') === undefined ? fitting() : undefined);
  if (system === undefined) return { reason: 'there is no Python of 3.10 or later with venv and ensurepip' };
  // Made aside, so that what was interrupted is not taken for whole.
  const making = `${folder}.${process.pid}`;
  mkdirSync(CACHE, { recursive: true });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '-r', REQUIREMENTS];
  const steps: readonly (readonly [program: string, argv: readonly string[]])[] = [
    [system, ['-m', 'venv', making]],
    [join(making, within), pip],
  ];
  for (const [program, argv] of steps) {
    const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8', timeout: STEP_MS });
    if (status === 0) continue;
    rmSync(making, { recursive: true, force: true });
    return { reason: `python ${argv[1]} failed: ${lastLine(stdout, stderr)}` };
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(making, folder);
  return { python: join(folder, within) };
}
