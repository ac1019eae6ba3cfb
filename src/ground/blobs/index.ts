// Contents of any size, kept by what they are: files people upload, batches' output, documents. In a folder or an S3 bucket, streamed,
// counted against quotas, encrypted where told so. It must not know what the contents mean or who may read them.
export type { BlobBackend } from './backend.ts';
export { type BlobInput, type Blobs, type BlobsOptions, type BlobView, createBlobs } from './blobs.ts';
export { createFolderBackend } from './folder-backend.ts';
export { createS3Backend, type S3Options } from './s3-backend.ts';
export { BLOBS_SCHEMA } from './schema.ts';
