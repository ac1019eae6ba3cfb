import { registerHooks } from 'node:module';

/**
 * What a host of prebuilt binaries and local files never uses of node-llama-cpp, and each start would load: downloads, git, progress
 * on a terminal. They are a third of its start.
 */
const PACKAGES: ReadonlySet<string> = new Set(['ipull', 'simple-git', 'ora', 'stdout-update', 'slice-ansi']);
/**
 * The package first tries its binary in another process, at each start, so that one that cannot run here does not end its caller.
 * A host is such a process already: its supervisor sees how it ends.
 */
const TRIAL = '/testBindingBinary.js';
const LEFT_OUT = new URL('./host/model/left-out.ts', import.meta.url).href;

/** Before node-llama-cpp is loaded. The package is pinned; a version that needs more of these fails to load, which a test tells. */
export function leaveOut(): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      PACKAGES.has(specifier) || specifier.endsWith(TRIAL)
        ? { url: LEFT_OUT, shortCircuit: true }
        : next(specifier, context),
  });
}
