/**
 * The npm package with what it needs at run time, fetched into a folder of its own.
 *
 * `npm ci` drops the package when its install script fails, and the packages that only it needs with it. They are
 * fetched here in the versions of package-lock.json, and end up inside the package's folder, except those that our
 * node_modules has already: @tensorflow/tfjs-core above all, of which there must be one.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { reasonOf, run } from './child.ts';
import { PACKAGE, PACKAGE_VERSION, type Place } from './place.ts';

const stage = ({ staging }: Place): string => join(staging, 'npm');

/** Where the package lies until it is moved in. */
export const stagedFolder = (place: Place): string => join(stage(place), 'node_modules', PACKAGE);

/** Fetches the package, no script of it run; the result says what came. @throws 'backend' when npm cannot. */
export async function fetchPackage(place: Place, signal: AbortSignal): Promise<string> {
  const root = { name: 'staging', private: true, dependencies: { [PACKAGE]: PACKAGE_VERSION } };
  mkdirSync(stage(place), { recursive: true });
  writeFileSync(join(stage(place), 'package.json'), JSON.stringify(root));
  const lockPath = join(dirname(place.modules), 'package-lock.json');
  const locked = existsSync(lockPath);
  if (locked) {
    // npm takes what it needs from the lock and forgets the rest
    const lock = JSON.parse(readFileSync(lockPath, 'utf8')) as { packages: Record<string, object> };
    writeFileSync(
      join(stage(place), 'package-lock.json'),
      JSON.stringify({ ...lock, name: root.name, packages: { ...lock.packages, '': root } }),
    );
  }
  const ran = await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: stage(place),
    signal,
  });
  if (ran.code !== 0) throw fail('backend', 'npm', `could not fetch ${PACKAGE}@${PACKAGE_VERSION} (${reasonOf(ran)}).`);
  return `${packagesOf(join(stage(place), 'node_modules')).length} packages${locked ? ', in the versions of package-lock.json' : ''}`;
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
