/** Paths, as the machine writes them. */
export { basename, dirname, join, resolve } from 'node:path';
