// HTTP/1.1 of the data plane: connections, requests as they come, answers in their order. It must not know what is served.
export type { BodySink, HttpExchange, HttpRequest, HttpResponse } from './http-exchange.ts';
export { createHttpServer, type HttpServer } from './http-server.ts';
export type { RequestHead } from './request-head.ts';
