// Embedded engines: one child process per GGUF model, and what a model file says about itself. It must not know what a
// model costs, who calls, or how requests are routed; to the gateway a host is one more upstream.
export type { EngineDeployment, EngineStatus } from './engine-process.ts';
export type { HostFacts, HostLoad } from './host-messages.ts';
export { type GgufSummary, inspectGguf } from './inspect-gguf.ts';
export { type Engines, superviseEngines } from './supervise-engines.ts';
