/** Whether an error of the file system says that there is no room: the disk, or the owner's quota on it, is full. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
