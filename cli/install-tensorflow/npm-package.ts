/**
 * The npm package with what it needs at run time, fetched into a folder of its own.
 *
 * They come in the versions of lock.json, which has maintained ones under the package's installer, and end up inside the package's
 * folder, except those that our node_modules has already: @tensorflow/tfjs-core above all, of which there must be one.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { packageFile } from '../../src/platform/package-files.ts';
import { reasonOf, run } from './child.ts';
import { PACKAGE, PACKAGE_VERSION, type Place } from './place.ts';

/** The package.json of the folder it is fetched into. */
export const STAGED = {
  name: 'staging',
  private: true,
  dependencies: { [PACKAGE]: PACKAGE_VERSION },
  overrides: { [PACKAGE]: { tar: '^7.5.23', '@mapbox/node-pre-gyp': '^2.0.3' } },
};
/** Its package-lock.json; what npm writes for STAGED with `npm install --package-lock-only --omit-lockfile-registry-resolved`. */
const LOCK = packageFile('cli/install-tensorflow/lock.json');

const stage = ({ staging }: Place): string => join(staging, 'npm');

/** Where the package lies until it is moved in. */
export const stagedFolder = (place: Place): string => join(stage(place), 'node_modules', PACKAGE);

/** Fetches the package, no script of it run; the result says what came. @throws 'backend' when npm cannot. */
export async function fetchPackage(place: Place, signal: AbortSignal): Promise<string> {
  mkdirSync(stage(place), { recursive: true });
  writeFileSync(join(stage(place), 'package.json'), JSON.stringify(STAGED));
  copyFileSync(LOCK, join(stage(place), 'package-lock.json'));
  const ran = await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: stage(place),
    signal,
  });
  if (ran.code !== 0) throw fail('backend', 'npm', `could not fetch ${PACKAGE}@${PACKAGE_VERSION} (${reasonOf(ran)}).`);
  return `${packagesOf(join(stage(place), 'node_modules')).length} packages`;
}

/** Moves what the package needs into its folder, without what our node_modules has in the same version. */
export function settle(place: Place): void {
  const from = join(stage(place), 'node_modules');
  const own = join(stagedFolder(place), 'node_modules');
  for (const name of packagesOf(from).filter((other) => other !== PACKAGE)) {
    if (versionOf(join(from, name)) === versionOf(join(place.modules, name))) continue;
    mkdirSync(dirname(join(own, name)), { recursive: true });
    rmSync(join(own, name), { recursive: true, force: true });
    renameSync(join(from, name), join(own, name));
  }
  if (existsSync(join(own, '@tensorflow', 'tfjs-core'))) {
    throw fail(
      'backend',
      PACKAGE,
      `needs @tensorflow/tfjs-core ${PACKAGE_VERSION}, and ${versionOf(join(place.modules, '@tensorflow/tfjs-core'))} is installed here; there must be one.`,
    );
  }
}

function packagesOf(modules: string): string[] {
  return readdirSync(modules).flatMap((name) => {
    if (name.startsWith('.')) return [];
    return name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name];
  });
}

function versionOf(folder: string): string | undefined {
  const path = join(folder, 'package.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { version?: string }).version : undefined;
}
