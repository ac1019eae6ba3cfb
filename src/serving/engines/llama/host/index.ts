// The engine host: a child process that speaks the OpenAI dialect for one GGUF model over llama.cpp. It knows tokens,
// templates and sequences. It must not know tenants, money, deployments or the store.
export { runHost } from './run-host.ts';
