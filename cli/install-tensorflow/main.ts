/** The install-tensorflow command: its options, and the steps in the order in which they happen, each one said in plain words. */
import { existsSync, rmSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { fail } from '../../src/errors.ts';
import { runCommand, type Streams } from '../command.ts';
import { buildAddon, compiler } from './addon.ts';
import { reasonOf, run } from './child.ts';
import { fetchPackage, settle, stagedFolder } from './npm-package.ts';
import { makeStaging, findPlace, moveIn, origin, PACKAGE, PACKAGE_VERSION, remove, type Place } from './place.ts';
import type { Verified } from './verify.ts';
import { downloadWheels, packageOf, pipCommand, requireWheelPlatform, unpack, wheelsAt } from './wheel.ts';

/** The newest that is silent on stderr when it loads; 2.16.2, 2.18.1 and 2.21.0 were built and checked too. */
const TENSORFLOW = '2.20.0';
/** Largest relative error of logits against Float64 that a backend may be installed with. */
const TOLERANCE = 1e-5;
const OFFICIAL_SECONDS = 600;

const describe = (): Command =>
  new Command('install-tensorflow')
    .description(
      `Put ${PACKAGE} ${PACKAGE_VERSION} in place. Its own install script downloads libtensorflow 2.9.1 of 2022, for CUDA 11; where that cannot be had or does not work, take libtensorflow from the Python package's wheel, link the addon's source to it, and keep the result only if it computes the bundled model's logits.`,
    )
    .option(
      '--cuda',
      "the wheel that computes on NVIDIA GPUs, with NVIDIA's libraries (about 3 GB); without it, CPU only",
    )
    .option('--tensorflow <version>', 'version of the wheel', TENSORFLOW)
    .option(
      '--wheel <path>',
      'take libtensorflow from here: a wheel, a folder of wheels, or an installed tensorflow package',
    )
    .option('--no-official', 'do not try the official download first')
    .option('--python <program>', 'the Python whose pip downloads the wheel', 'python3')
    .option('--download <folder>', 'only download the wheel into a folder, for --wheel here or elsewhere')
    .option('--force', 'build again, even if what is there works')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--undo', 'remove what this command put in place')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly cuda?: boolean;
  readonly tensorflow: string;
  readonly wheel?: string;
  readonly official: boolean;
  readonly python: string;
  readonly download?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const installTensorflowCommand = (args: readonly string[], streams: Streams): Promise<number> =>
  runCommand(describe(), args, streams, async (flags: Flags, { signal }) => {
    const place = findPlace();
    const where = relative(process.cwd(), place.folder) || '.';
    const choice = { cuda: flags.cuda === true, version: flags.tensorflow, python: flags.python };
    const say = (text: string): void => streams.out(`${text}\n`);
    if (flags.undo === true) {
      say(`removed ${where} (libtensorflow of ${remove(place)}).`);
      return;
    }
    if (flags.download !== undefined) {
      for (const wheel of await downloadWheels(choice, resolve(flags.download), signal)) say(wheel);
      return;
    }
    say(
      `${PACKAGE} ${PACKAGE_VERSION} for Node ${process.version} on ${process.platform} ${process.arch}, into ${where}`,
    );
    if (flags.dryRun === true) {
      plan(place, flags, say);
      return;
    }
    if (existsSync(place.folder) && flags.force !== true) {
      const found = await verify(signal);
      if (typeof found !== 'string' && (found.gpu || !choice.cuda)) {
        say(`already in place and right: ${describeVerified(found)}. --force builds it again.`);
        return;
      }
      say(
        `what is in place ${typeof found === 'string' ? `does not work (${found})` : 'sees no GPU'}; building it again.`,
      );
    }
    const wheels = flags.wheel === undefined ? undefined : wheelsAt(flags.wheel);
    const step = async (what: string, work: () => Promise<string>): Promise<void> => {
      say(`\n* ${what}`);
      const started = performance.now();
      const outcome = await work();
      say(`  ${outcome}; ${((performance.now() - started) / 1000).toFixed(1)} s`);
    };

    makeStaging(place);
    try {
      await step('Fetch the npm package and what it needs at run time; its own install script is not run yet.', () =>
        fetchPackage(place, signal),
      );
      if (wheels === undefined && flags.official && (await official(place, choice.cuda, signal, step, say))) return;
      const deps = join(stagedFolder(place), 'deps');
      let from = wheels;
      if (from === undefined) {
        requireWheelPlatform(choice.cuda);
        compiler(); // better missed before the download than after it
        await step(
          `Download libtensorflow as the Python package's wheel, ${packageOf(choice)}${choice.cuda ? ", with NVIDIA's libraries, about 3 GB" : ''}. pip only fetches the file; nothing is installed into Python.`,
          async () => {
            from = await downloadWheels(choice, join(place.staging, 'wheels'), signal);
            return `${from.length} file${from.length === 1 ? '' : 's'}`;
          },
        );
      }
      await step('Unpack libtensorflow and its C headers from it.', () => unpack(from ?? [], deps, signal));
      await step("Build the addon: the package's own C++ source, compiled and linked to that library.", () =>
        buildAddon(stagedFolder(place), place.staging, signal),
      );
      const verified = await install(
        place,
        (from ?? [])
          .map((path) => basename(path))
          .filter((name) => name.startsWith('tensorflow'))
          .join(', '),
        signal,
        step,
      );
      if (typeof verified === 'string')
        throw fail(
          'backend',
          'tensorflow',
          `was built and does not work (${verified}); everything is as it was before.`,
        );
      say(`\ninstalled: --backend tensorflow now runs on ${verified.device}.`);
      if (choice.cuda && !verified.gpu)
        say(
          'It sees no GPU. TF_CPP_MIN_LOG_LEVEL=0 in the environment makes TensorFlow say why; the driver must be one for CUDA 12.',
        );
      say('npm install and npm ci take it out again, and so does --undo.');
    } finally {
      rmSync(place.staging, { recursive: true, force: true });
    }
  });

type Step = (what: string, work: () => Promise<string>) => Promise<void>;

/** The package's own install script; true when it brought a backend that computes right (on a GPU, if one is wanted). */
async function official(
  place: Place,
  wantsGpu: boolean,
  signal: AbortSignal,
  step: Step,
  say: (text: string) => void,
): Promise<boolean> {
  let fetched = false;
  const folder = stagedFolder(place);
  await step(
    "Try the official way: the package's own install script, which downloads libtensorflow 2.9.1 and a finished addon.",
    async () => {
      const ran = await run('npm', ['run', 'install'], { cwd: folder, signal, timeoutSeconds: OFFICIAL_SECONDS });
      fetched = ran.code === 0 && existsSync(join(folder, 'lib'));
      return fetched ? 'downloaded' : `not to be had (${reasonOf(ran)}); going on without it`;
    },
  );
  const verified = fetched ? await install(place, 'the official download', signal, step) : undefined;
  if (verified !== undefined && typeof verified !== 'string' && (verified.gpu || !wantsGpu)) {
    say(`\ninstalled: --backend tensorflow now runs on ${verified.device}.`);
    return true;
  }
  if (verified !== undefined) {
    say(`  ${typeof verified === 'string' ? `it does not work (${verified})` : 'it sees no GPU'}; taken out again.`);
    if (typeof verified !== 'string') remove(place);
  }
  for (const part of ['deps', 'lib', 'build']) rmSync(join(folder, part), { recursive: true, force: true });
  return false;
}

/** Moves the built package in and checks it; a text says what is wrong, and then it is out again. */
async function install(place: Place, from: string, signal: AbortSignal, step: Step): Promise<Verified | string> {
  settle(place);
  let verified: Verified | string = '';
  const moveOut = moveIn(place, stagedFolder(place), from);
  try {
    await step(
      'Move it into node_modules and compare forward passes of the bundled model with Float64 JavaScript.',
      async () => {
        verified = await verify(signal);
        return typeof verified === 'string' ? `wrong: ${verified}` : describeVerified(verified);
      },
    );
  } catch (error) {
    moveOut();
    throw error;
  }
  if (typeof verified === 'string') moveOut();
  return verified;
}

/** What verify.ts found in a process of its own, or why it found nothing. */
async function verify(signal: AbortSignal): Promise<Verified | string> {
  // a source in a checkout, which tsx reads; JavaScript where this is installed
  const [ending, loader] = import.meta.url.endsWith('.ts')
    ? ['.ts', ['--import', import.meta.resolve('tsx')]]
    : ['.js', []];
  const program = fileURLToPath(new URL(`./verify${ending}`, import.meta.url));
  const ran = await run(process.execPath, [...loader, program], { signal });
  if (ran.code !== 0) return reasonOf(ran);
  const verified = JSON.parse(ran.out.trim().split('\n').at(-1) ?? '') as Verified;
  if (!verified.oneCore) return 'it has a @tensorflow/tfjs-core of its own';
  return verified.error <= TOLERANCE
    ? verified
    : `logits differ from Float64 by ${verified.error.toExponential(1)} (allowed ${TOLERANCE.toExponential(0)})`;
}

const describeVerified = ({ device, error, prompts }: Verified): string =>
  `${device}; logits of ${prompts} prompts within ${error.toExponential(1)} of Float64`;

/** What --dry-run says. */
function plan(place: Place, flags: Flags, say: (text: string) => void): void {
  const choice = { cuda: flags.cuda === true, version: flags.tensorflow, python: flags.python };
  const folder = stagedFolder(place);
  const shown = (words: readonly string[]): string =>
    words.map((word) => (word.startsWith('/') ? relative(process.cwd(), word) : word)).join(' ');
  say(`would, in ${relative(process.cwd(), place.staging)}:`);
  say(
    `* fetch the npm package and what it needs at run time: npm install --ignore-scripts ${PACKAGE}@${PACKAGE_VERSION}`,
  );
  if (flags.wheel === undefined && flags.official)
    say('* run its own install script, and be done if the result computes right: npm run install');
  if (flags.wheel === undefined)
    say(
      `* else download libtensorflow: ${flags.python} ${shown(pipCommand(choice, [packageOf(choice)], join(place.staging, 'wheels')))}${choice.cuda ? '\n  and the nvidia-* packages that it names' : ''}`,
    );
  say(
    `* unpack libtensorflow and its C headers from ${flags.wheel === undefined ? 'it' : wheelsAt(flags.wheel).join(', ')}`,
  );
  say(`* build the addon: ${shown(['c++', '...', '-o', join(folder, 'lib', 'napi-v8', 'tfjs_binding.node')])}`);
  say(
    `* move the package to ${relative(process.cwd(), place.folder)}, check forward passes of the bundled model against Float64, and take it out again if they are wrong`,
  );
  const now = origin(place);
  say(
    existsSync(place.folder)
      ? `there now: one with libtensorflow of ${now ?? 'the official download'}`
      : 'there now: nothing',
  );
}
