export type { UpstreamCall, UpstreamRequest, UpstreamSink } from './upstream.ts';
export { createUpstreams, type Upstreams } from './upstreams.ts';
