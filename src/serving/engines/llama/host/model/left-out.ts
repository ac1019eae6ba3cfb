/** In place of what a host does not need of node-llama-cpp: see `leave-out.ts`. Nothing here is ever called but the first. */
export async function testBindingBinary(): Promise<boolean> {
  return true;
}

function leftOut(): never {
  throw new Error('left out of the engine host');
}

export {
  // biome-ignore lint/style/noDefaultExport: what the package imports
  leftOut as default,
  leftOut as DownloadStatus,
  leftOut as downloadFile,
  leftOut as downloadSequence,
  leftOut as simpleGit,
};
