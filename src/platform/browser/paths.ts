/** Paths in a page: those of given files, with slashes. */

export function join(...parts: readonly string[]): string {
  return parts
    .filter((part) => part !== '')
    .join('/')
    .replaceAll(/\/{2,}/g, '/');
}

export function basename(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

export function dirname(path: string): string {
  const cut = path.replace(/\/+$/, '').lastIndexOf('/');
  return cut < 0 ? '.' : path.slice(0, Math.max(1, cut));
}

/** There is no folder that a path could be relative to. */
export function resolve(path: string): string {
  return path;
}
