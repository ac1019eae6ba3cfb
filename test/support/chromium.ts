import { aptGet } from './apt-get.ts';
import { findProgram } from './find-program.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** As root Chromium has no sandbox to go into; the rest keeps it from talking to anyone but the server under test. */
export const CHROMIUM_ARGS: readonly string[] = [
  '--headless',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The system's Chromium, installed from Debian where this process may; or the reason why there is none here. */
export function findChromium(): { readonly path: string } | { readonly reason: string } {
  const path = findProgram(NAMES);
  if (path !== undefined) return { path };
  const refused = aptGet('chromium');
  if (refused !== undefined) return { reason: `there is no Chromium. ${refused.reason}` };
  const installed = findProgram(NAMES);
  return installed === undefined ? { reason: 'apt-get installed no Chromium' } : { path: installed };
}
