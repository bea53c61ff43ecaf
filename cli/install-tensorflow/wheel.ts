/**
 * libtensorflow from a Python wheel: the package `tensorflow-cpu`, or `tensorflow` with NVIDIA's libraries beside it.
 *
 * A wheel is a ZIP file. This one holds libtensorflow_cc and libtensorflow_framework, which between them export the
 * whole C API, and their headers. pip is asked to download it and nothing more: no Python package is installed, the
 * machine's own Python version does not matter, and none of the wheel's Python code runs.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fail } from '../../src/errors.ts';
import { reasonOf, run } from './child.ts';
import { extract, membersOf } from './zip.ts';

export interface WheelChoice {
  readonly cuda: boolean;
  readonly version: string;
  /** The Python whose pip downloads. */
  readonly python: string;
}

const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'x86_64', arm64: 'aarch64' };
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;
/** The headers that the addon's source includes, and theirs: tsl moved between versions. */
const HEADERS = /^tensorflow\/include\/(?:tensorflow\/(?:c|core\/platform|tsl)|tsl|xla\/tsl)\/.+\.h$/;
const NVIDIA = /^nvidia\/[^/]+\/lib\/[^/]+$/;

/** What pip is asked for; on arm64 the package `tensorflow` is the one that computes on the CPU. */
export const packageOf = ({ cuda, version }: WheelChoice): string =>
  `${cuda || process.arch === 'arm64' ? 'tensorflow' : 'tensorflow-cpu'}==${version}`;

/** @throws 'backend' where there are no such wheels. */
export function requireWheelPlatform(cuda: boolean): string {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux' || architecture === undefined) {
    throw fail(
      'backend',
      'tensorflow',
      `on ${process.platform} ${process.arch} only the official download can provide libtensorflow; wheels are read on Linux, x64 and arm64.`,
    );
  }
  if (cuda && process.arch === 'arm64')
    throw fail('backend', '--cuda', 'has no wheel for arm64; tensorflow is built for GPUs on x64 only.');
  return architecture;
}

/** The pip command that fetches `packages` into `folder`. */
export function pipCommand({ cuda }: WheelChoice, packages: readonly string[], folder: string): string[] {
  const architecture = requireWheelPlatform(cuda);
  const platforms = ['manylinux_2_27', 'manylinux_2_17', 'manylinux2014'].flatMap((tag) => [
    '--platform',
    `${tag}_${architecture}`,
  ]);
  return [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary=:all:',
    '--python-version',
    '3.11',
    '--implementation',
    'cp',
    '--abi',
    'cp311',
    ...platforms,
    '--dest',
    folder,
    ...packages,
  ];
}

/** Downloads the wheel, and NVIDIA's that belong to it; the result is their paths. @throws 'backend' when pip cannot. */
export async function downloadWheels(choice: WheelChoice, folder: string, signal: AbortSignal): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  await pip(choice, [packageOf(choice)], folder, signal);
  if (choice.cuda) {
    const [wheel] = wheelsIn(folder, /^tensorflow-/);
    const needed = await cudaPackages(wheel, join(folder, 'METADATA'), signal);
    await pip(choice, needed, folder, signal);
  }
  return wheelsIn(folder, /^(tensorflow-|tensorflow_cpu-|nvidia_)/);
}

async function pip(
  choice: WheelChoice,
  packages: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const { python } = choice;
  const ran = await run(python, pipCommand(choice, packages, folder), { signal });
  if (ran.code === 0) return;
  const none = /No module named pip/.test(ran.err);
  throw fail(
    'backend',
    'pip',
    none
      ? `${python} has no pip; install python3-pip, or give a wheel downloaded elsewhere with --wheel.`
      : `could not download ${packages.join(' ')} (${reasonOf(ran)}).`,
  );
}

/** The NVIDIA packages that a wheel's metadata asks for under [and-cuda]. */
async function cudaPackages(wheel: string, scratch: string, signal: AbortSignal): Promise<string[]> {
  const metadata = membersOf(wheel).find(({ name }) => name.endsWith('.dist-info/METADATA'));
  if (metadata === undefined) throw fail('backend', wheel, 'holds no METADATA; it is not a whole wheel.');
  await extract(wheel, metadata, scratch, signal);
  const text = readFileSync(scratch, 'utf8');
  rmSync(scratch);
  return [...text.matchAll(/^Requires-Dist: (nvidia-[^;]+?)\s*;\s*extra == ["']and-cuda["']/gm)].map(([, name]) =>
    name.replaceAll(/[\s()]/g, ''),
  );
}

const wheelsIn = (folder: string, named: RegExp): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.whl') && named.test(name))
    .map((name) => join(folder, name));

/** The wheels that --wheel names: a file, a folder of files, or an unpacked or installed `tensorflow` folder. */
export function wheelsAt(path: string): string[] {
  if (!existsSync(path)) throw fail('input', '--wheel', `${path} does not exist.`);
  if (statSync(path).isFile()) return [resolve(path)];
  for (const folder of [path, join(path, 'tensorflow')])
    if (existsSync(join(folder, LIBRARIES[0]))) return [resolve(folder)];
  const wheels = wheelsIn(path, /^(tensorflow-|tensorflow_cpu-|nvidia_)/).map((wheel) => resolve(wheel));
  if (wheels.length === 0)
    throw fail('input', '--wheel', `${path} holds neither a tensorflow wheel nor ${LIBRARIES[0]}.`);
  return wheels;
}

/** Libraries to deps/lib, headers to deps/include, NVIDIA's to deps/nvidia, where the libraries look; the result says what came. */
export async function unpack(sources: readonly string[], deps: string, signal: AbortSignal): Promise<string> {
  let bytes = 0;
  for (const source of sources) {
    if (statSync(source).isDirectory()) {
      unpackFolder(source, deps);
      continue;
    }
    const wanted = membersOf(source).map((member) => ({ member, target: targetOf(member.name, source) }));
    for (const { member, target } of wanted) {
      if (target === undefined) continue;
      await extract(source, member, join(deps, target), signal);
      bytes += member.size;
    }
  }
  for (const library of LIBRARIES) {
    if (!existsSync(join(deps, 'lib', library)))
      throw fail('backend', sources.join(', '), `holds no ${library}; the wheels of tensorflow 2.12 to 2.21 do.`);
  }
  return `${sources.length > 1 ? `${sources.length} wheels` : basename(sources[0])}${bytes > 0 ? `: ${(bytes / 1e6).toFixed(0)} MB unpacked` : ''}`;
}

/** Where a member goes below deps; undefined for one that is not wanted. @throws 'input' for a wanted name that leads out of it. */
function targetOf(name: string, source: string): string | undefined {
  const target = wantedAs(name);
  if (target === undefined || !/[\\:\0]|(?:^|\/)\.{0,2}(?:\/|$)/.test(target)) return target;
  throw fail(
    'input',
    source,
    `holds ${name}, which would be written outside of its folder; it is no wheel of tensorflow.`,
  );
}

function wantedAs(name: string): string | undefined {
  if (LIBRARIES.some((library) => name === `tensorflow/${library}`)) return join('lib', basename(name));
  if (HEADERS.test(name)) return name.slice('tensorflow/'.length);
  return NVIDIA.test(name) ? name : undefined;
}

function unpackFolder(tensorflow: string, deps: string): void {
  for (const library of LIBRARIES) cpSync(join(tensorflow, library), join(deps, 'lib', library), { dereference: true });
  cpSync(join(tensorflow, 'include'), join(deps, 'include'), {
    recursive: true,
    filter: (from) =>
      statSync(from).isDirectory() ||
      HEADERS.test(`tensorflow/include${from.slice(join(tensorflow, 'include').length)}`),
  });
  const nvidia = join(dirname(tensorflow), 'nvidia');
  if (existsSync(nvidia))
    cpSync(nvidia, join(deps, 'nvidia'), {
      recursive: true,
      filter: (from) => statSync(from).isDirectory() || from.includes('/lib/'),
    });
}
