/** UUIDv7 text, made by the gateway for each request. */
export type RequestId = string;
export type KeyId = `key_${string}`;

/** Ids that people choose: organizations, projects, providers, deployments. */
export const SLUG = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
/** Model ids may carry a vendor prefix and a tag, as in `deepseek-ai/DeepSeek-V3:free`. */
export const MODEL_ID = /^[A-Za-z0-9](?:[A-Za-z0-9._:/@-]{0,126}[A-Za-z0-9])?$/;
