// Upstreams over HTTP: one request out, its answer pushed back as it comes. It must not know dialects, prices or callers.
export type { UpstreamCall, UpstreamRequest, UpstreamSink } from './upstream.ts';
export { createUpstreams, type Upstreams } from './upstreams.ts';
