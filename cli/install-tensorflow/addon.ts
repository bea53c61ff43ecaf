/**
 * The addon: the npm package's own two C++ files (binding/), compiled and linked to libtensorflow, and with them kernels.cc and
 * tiles.cc, TensorFlow operations of ours. Where a compiler does not take those, the addon is built without it and said to be.
 *
 * One compiler command and not node-gyp: the package's binding.gyp links to a libtensorflow.so that a wheel does not
 * hold, node-gyp downloads Node's headers and wants Python and make. The source uses Node-API alone, so the headers of
 * any Node serve, and the result works in every later one.
 */
import { existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { reasonOf, run } from './child.ts';
import { LIBRARIES } from './wheel.ts';
import { packageFile } from '../../src/platform/package-files.ts';

/** The Node-API version that the package looks its addon up under, on every Node from 20 on. */
const NODE_API = 8;
const HEADER_PACKAGE = 'node-api-headers@1.9.0';
const OURS = ['kernels.cc', 'tiles.cc'].map((name) => packageFile(`cli/install-tensorflow/${name}`));

/** A folder with node_api.h: beside this Node, of the distribution, or from npm. @throws 'backend' when npm cannot. */
async function nodeHeaders(staging: string, signal: AbortSignal): Promise<string> {
  const beside = join(dirname(realpathSync(process.execPath)), '..', 'include', 'node');
  const found = [beside, '/usr/include/node', '/usr/include/nodejs/src'].find((folder) =>
    existsSync(join(folder, 'node_api.h')),
  );
  if (found !== undefined) return found;
  const folder = join(staging, 'headers');
  mkdirSync(folder, { recursive: true });
  const ran = await run(
    'npm',
    ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', HEADER_PACKAGE],
    { signal },
  );
  if (ran.code !== 0) throw fail('backend', 'npm', `could not fetch ${HEADER_PACKAGE} (${reasonOf(ran)}).`);
  return join(folder, 'node_modules', 'node-api-headers', 'include');
}

/** $CXX, or the first C++ compiler on the PATH. @throws 'backend' when there is none. */
export function compiler(): string {
  const given = process.env['CXX'];
  if (given !== undefined && given !== '') return given;
  const folders = (process.env['PATH'] ?? '').split(':');
  const found = ['g++', 'c++', 'clang++'].find((name) => folders.some((folder) => existsSync(join(folder, name))));
  if (found === undefined)
    throw fail(
      'backend',
      'install-tensorflow',
      'needs a C++ compiler (g++, c++, clang++ or $CXX) and none is on the PATH; on Debian: apt install g++.',
    );
  return found;
}

/** The compiler's arguments for the package at `folder`, with `more` sources. */
function compileArguments(folder: string, headers: string, more: readonly string[]): string[] {
  const sources = [
    ...readdirSync(join(folder, 'binding'))
      .filter((name) => name.endsWith('.cc'))
      .map((name) => join(folder, 'binding', name)),
    ...more,
  ];
  const built = join(folder, 'lib', `napi-v${NODE_API}`, 'tfjs_binding.node');
  const included = ['-I', headers, '-I', join(folder, 'deps', 'include')];
  const linked = [
    '-L',
    join(folder, 'deps', 'lib'),
    ...LIBRARIES.map((name) => `-l:${name}`),
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
  ];
  return [
    '-std=c++17',
    '-O2',
    '-Wno-psabi',
    '-pthread',
    '-shared',
    '-fPIC',
    `-DNAPI_VERSION=${NODE_API}`,
    ...included,
    '-o',
    built,
    ...sources,
    ...linked,
  ];
}

/** Builds lib/napi-v8/tfjs_binding.node; the result says with what. @throws 'backend' when the compiler fails. */
export async function buildAddon(folder: string, staging: string, signal: AbortSignal): Promise<string> {
  const program = compiler();
  const headers = await nodeHeaders(staging, signal);
  mkdirSync(join(folder, 'lib', `napi-v${NODE_API}`), { recursive: true });
  const withOurs = await run(program, compileArguments(folder, headers, OURS), { signal });
  const said = `${program}, Node-API headers of ${headers}`;
  if (withOurs.code === 0) return `${said}; with the operations of kernels.cc`;
  const ran = await run(program, compileArguments(folder, headers, []), { signal });
  if (ran.code !== 0) throw fail('backend', program, `could not build the addon (${reasonOf(ran)}).`);
  return `${said}; without kernels.cc, which ${program} did not take (${reasonOf(withOurs)}): slower, else the same`;
}
