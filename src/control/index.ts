// The control API and the page at `/`: who administers sees and changes things here. No domain logic: it checks, calls, and renders.
export { type Access, createControlApp } from './app.ts';
export { applyConfig } from './apply.ts';
export type { ControlDeps } from './deps.ts';
