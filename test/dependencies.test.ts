/** What installing this package runs and brings, read from package-lock.json. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly version: string;
  readonly hasInstallScript?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

const read = (name: string): unknown => JSON.parse(readFileSync(resolve(import.meta.dirname, '..', name), 'utf8'));
const { packages } = read('package-lock.json') as { readonly packages: Readonly<Record<string, Locked>> };
const named = Object.entries(packages).map(([path, locked]) => ({
  name: path.split('node_modules/').pop() ?? '',
  ...locked,
}));

describe('an installation', () => {
  it('runs one script of a required package: esbuild looks at its own file, and fetches nothing', () => {
    const scripts = named.filter(
      ({ hasInstallScript, dev, optional, devOptional }) =>
        hasInstallScript === true && dev !== true && optional !== true && devOptional !== true,
    );
    expect(scripts.map(({ name }) => name)).toEqual(['esbuild']);
  });

  it('says of every install script whether it is wanted', () => {
    const { allowScripts } = read('package.json') as { readonly allowScripts: Readonly<Record<string, boolean>> };
    const scripts = named.filter(({ hasInstallScript }) => hasInstallScript === true).map(({ name }) => name);
    expect(scripts.filter((name) => !(name in allowScripts))).toEqual([]);
  });

  it("has maintained versions under TensorFlow's installer, where one works there", () => {
    const major = (name: string): number[] =>
      named.filter((locked) => locked.name === name).map(({ version }) => Number(version.split('.')[0]));
    expect(major('tar')).toEqual([7]);
    expect(major('@mapbox/node-pre-gyp')).toEqual([2]);
    // rimraf from 4 on returns a promise, and the installer waits for a callback: the one left, with the glob that it takes.
    expect(major('rimraf')).toEqual([2]);
    expect(major('glob')).toEqual([7]);
  });
});
