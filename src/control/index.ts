// The control API and the page at `/`: who administers sees and changes things here. No domain logic: it checks, calls, and renders.
export { isLoopback } from './access.ts';
export { createControlApp } from './app.ts';
export { applyConfig } from './apply/apply.ts';
export { createBackup } from './backup/backup-home.ts';
export { refuseHalfRestored, restoreHome } from './backup/restore-home.ts';
export type { Access } from './context.ts';
export type { ControlDeps } from './deps.ts';
export { engineDeps } from './engine-deps.ts';
export { firstProject, plantDefaults, type TryProject } from './first-start.ts';
export type { Lang, Words } from './language.ts';
export { listenOn } from './listen-on.ts';
export { createTraffic, type Traffic } from './metrics/traffic.ts';
export { DEMONSTRATION, isDemonstration, modelFile } from './model-file.ts';
export { isReady } from './resources/models.ts';
export { CONTROL_SCHEMA } from './routes/idempotent-answers.ts';
