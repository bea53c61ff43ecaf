/** What installing this package runs and brings, read from package-lock.json and the lock of TensorFlow's package. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STAGED } from '../cli/install-tensorflow/npm-package.ts';

interface Locked {
  readonly name: string;
  readonly version: string;
  readonly hasInstallScript?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}
type Lock = { readonly packages: Readonly<Record<string, Omit<Locked, 'name'>>> };

const read = (name: string): unknown => JSON.parse(readFileSync(resolve(import.meta.dirname, '..', name), 'utf8'));
const lockedIn = (name: string): Locked[] =>
  Object.entries((read(name) as Lock).packages)
    .filter(([path]) => path !== '')
    .map(([path, locked]) => ({ ...locked, name: path.split('node_modules/').pop() ?? '' }));

describe('an installation', () => {
  const locked = lockedIn('package-lock.json');
  const required = locked.filter(
    ({ dev, optional, devOptional }) => dev !== true && optional !== true && devOptional !== true,
  );

  it('is of few packages', () => {
    expect(required.length).toBeGreaterThan(10);
    expect(required.length).toBeLessThanOrEqual(60);
    expect(locked.filter(({ optional }) => optional === true).map(({ name }) => name)).not.toContain('webgpu');
  });

  it('is found by what reads main and types alone, as tslab does', () => {
    const { main, types, exports } = read('package.json') as {
      readonly main: string;
      readonly types: string;
      readonly exports: Readonly<Record<string, unknown>>;
    };
    expect({ types, default: main }).toEqual(exports['.']);
  });

  it('runs no script', () => {
    expect(required.filter(({ hasInstallScript }) => hasInstallScript === true)).toEqual([]);
  });

  it('says of every install script of a checkout whether it is wanted', () => {
    const { allowScripts } = read('package.json') as { readonly allowScripts: Readonly<Record<string, boolean>> };
    const scripts = locked.filter(({ hasInstallScript }) => hasInstallScript === true).map(({ name }) => name);
    expect(scripts.filter((name) => !(name in allowScripts))).toEqual([]);
  });
});

describe("TensorFlow's package", () => {
  it('comes in the versions of its lock', () => {
    expect((read('cli/install-tensorflow/lock.json') as Lock).packages['']).toMatchObject({
      dependencies: STAGED.dependencies,
    });
  });

  it('has maintained versions under its installer, where one works there', () => {
    const locked = lockedIn('cli/install-tensorflow/lock.json');
    const major = (name: string): number[] =>
      locked.filter((entry) => entry.name === name).map(({ version }) => Number(version.split('.')[0]));
    expect(major('tar')).toEqual([7]);
    expect(major('@mapbox/node-pre-gyp')).toEqual([2]);
    // rimraf from 4 on returns a promise, and the installer waits for a callback: the one left, with the glob that it takes.
    expect(major('rimraf')).toEqual([2]);
    expect(major('glob')).toEqual([7]);
  });
});
