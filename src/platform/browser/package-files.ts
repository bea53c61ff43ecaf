/** Files of this package in a page: none. */

/** A path at which there is nothing. */
export function packageFile(path: string): string {
  return `package:${path}`;
}
