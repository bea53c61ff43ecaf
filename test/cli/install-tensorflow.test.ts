/** The parts of install-tensorflow that need no network: wheels read, packages moved in and out, one core kept. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterAll, beforeEach, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf, run } from '../../cli/install-tensorflow/child.ts';
import { installTensorflowCommand } from '../../cli/install-tensorflow/main.ts';
import { settle, stagedFolder } from '../../cli/install-tensorflow/npm-package.ts';
import {
  findPlace,
  makeStaging,
  moveIn,
  origin,
  PACKAGE,
  remove,
  type Place,
} from '../../cli/install-tensorflow/place.ts';
import { unpack, wheelsAt } from '../../cli/install-tensorflow/wheel.ts';
import { extract, membersOf } from '../../cli/install-tensorflow/zip.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const never = new AbortController().signal;

/** A ZIP of these members, every second one stored and the others deflated. */
function zipOf(members: Readonly<Record<string, string>>): Buffer {
  const [bodies, directory]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  Object.entries(members).forEach(([name, text], k) => {
    const method = k % 2 === 0 ? 8 : 0;
    const packed = method === 8 ? deflateRawSync(text) : Buffer.from(text);
    const fields = Buffer.alloc(26);
    [20, 0, method, 0, 0].forEach((value, i) => fields.writeUInt16LE(value, 2 * i));
    [crc32(text), packed.length, Buffer.byteLength(text)].forEach((value, i) =>
      fields.writeUInt32LE(value, 10 + 4 * i),
    );
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    bodies.push(body);
    directory.push(Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), fields, tail, Buffer.from(name));
    offset += body.length;
  });
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  const count = Object.keys(members).length;
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, listed, end]);
}

const WHEEL = {
  'tensorflow/libtensorflow_cc.so.2': 'cc '.repeat(5000),
  'tensorflow/libtensorflow_framework.so.2': 'framework',
  'tensorflow/include/tensorflow/c/c_api.h': '// c api',
  'tensorflow/include/xla/tsl/c/tsl_status.h': '// status',
  'tensorflow/include/Eigen/Core.h': '// not needed',
  'tensorflow/python/big.so': 'not needed',
  'nvidia/cublas/lib/libcublas.so.12': 'cublas',
};

function written(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('reading a wheel', () => {
  it('gives back every member, stored or deflated', async () => {
    const path = written('whole.whl', zipOf(WHEEL));
    const members = membersOf(path);
    expect(members.map(({ name }) => name)).toEqual(Object.keys(WHEEL));
    for (const member of members) {
      const target = join(folder, 'members', member.name);
      await extract(path, member, target);
      expect(readFileSync(target, 'utf8')).toBe(WHEEL[member.name as keyof typeof WHEEL]);
    }
  });

  it('refuses one that is cut short or whose bytes changed, naming it', async () => {
    const whole = zipOf(WHEEL);
    expect(() => membersOf(written('cut.whl', whole.subarray(0, whole.length - 30)))).toThrow(
      /cut\.whl: is not a whole ZIP file/,
    );
    const changed = Buffer.from(whole);
    changed[changed.indexOf('framework', changed.indexOf('framework.so.2') + 14)]++;
    const path = written('changed.whl', changed);
    const member = membersOf(path).find(({ name }) => name.endsWith('framework.so.2'))!;
    await expect(extract(path, member, join(folder, 'changed'))).rejects.toThrow(
      /changed\.whl: is damaged: .*framework\.so\.2 unpacks to 9 bytes with CRC/,
    );
  });

  it.each([
    'tensorflow/include/tsl/../../x.h',
    'tensorflow/include/tensorflow/c/../../../../../x.h',
    'tensorflow/include/tsl//etc/x.h',
    'tensorflow/include/tsl/./x.h',
    'tensorflow/include/tsl/..\\..\\x.h',
    'tensorflow/include/tsl/c:x.h',
    'nvidia/../lib/x.so',
    'nvidia/cublas/lib/..',
  ])('writes nothing that leads out of the folder: %s', async (name) => {
    const [outside, deps] = [join(folder, 'outside'), join(folder, 'outside', 'a', 'b', 'deps')];
    rmSync(outside, { recursive: true, force: true });
    const path = written('tensorflow-9.whl', zipOf({ ...WHEEL, [name]: 'x' }));
    await expect(unpack([path], deps, never)).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringContaining('which would be written outside of its folder; it is no wheel of tensorflow.'),
    });
    expect(existsSync(outside)).toBe(false);
  });

  it('stops at a member that unpacks to more than it lists', async () => {
    const whole = zipOf({ 'a.txt': 'x'.repeat(5_000_000) });
    const listed = whole.lastIndexOf('PK\x01\x02');
    whole.writeUInt32LE(10, listed + 24);
    const path = written('bomb.whl', whole);
    const target = join(folder, 'bomb');
    await expect(extract(path, membersOf(path)[0], target)).rejects.toThrow(
      'is damaged: a.txt unpacks to more than the 10 bytes it lists.',
    );
    expect(statSync(target).size).toBeLessThanOrEqual(10);
  });

  it('takes the two libraries, the C headers and the NVIDIA libraries, and nothing else', async () => {
    const deps = join(folder, 'deps');
    expect(await unpack([written('tensorflow-2.whl', zipOf(WHEEL))], deps, never)).toMatch(
      /tensorflow-2\.whl: 0 MB unpacked/,
    );
    const files = readdirSync(deps, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(deps.length + 1));
    expect(files.sort()).toEqual([
      'include/tensorflow/c/c_api.h',
      'include/xla/tsl/c/tsl_status.h',
      'lib/libtensorflow_cc.so.2',
      'lib/libtensorflow_framework.so.2',
      'nvidia/cublas/lib/libcublas.so.12',
    ]);
  });

  it('takes the same from an installed package', async () => {
    const site = join(folder, 'site-packages');
    for (const [name, text] of Object.entries(WHEEL)) {
      mkdirSync(dirname(join(site, name)), { recursive: true });
      writeFileSync(join(site, name), text);
    }
    const deps = join(folder, 'installed');
    await unpack(wheelsAt(site), deps, never);
    expect(existsSync(join(deps, 'include/tensorflow/c/c_api.h'))).toBe(true);
    expect(existsSync(join(deps, 'include/Eigen/Core.h'))).toBe(false);
    expect(readFileSync(join(deps, 'nvidia/cublas/lib/libcublas.so.12'), 'utf8')).toBe('cublas');
  });

  it('refuses a wheel without libtensorflow, and a folder with no wheel', async () => {
    const other = written('other.whl', zipOf({ 'numpy/__init__.py': '' }));
    await expect(unpack([other], join(folder, 'none'), never)).rejects.toThrow(
      /other\.whl: holds no libtensorflow_cc\.so\.2/,
    );
    expect(() => wheelsAt(join(folder, 'deps', 'include'))).toThrow(
      /--wheel: .* holds neither a tensorflow wheel nor libtensorflow_cc\.so\.2/,
    );
    expect(() => wheelsAt(join(folder, 'absent'))).toThrow(/--wheel: .* does not exist/);
  });
});

describe('the place', () => {
  let place: Place;
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const version = (at: string, value: string): void =>
    put(join(at, 'package.json'), JSON.stringify({ version: value }));
  beforeEach(() => {
    const modules = mkdtempSync(join(folder, 'modules-'));
    place = { modules, folder: join(modules, PACKAGE), staging: join(modules, `.install-tensorflow-${process.pid}`) };
    makeStaging(place);
    version(join(modules, '@tensorflow/tfjs-core'), '4.22.0');
    version(stagedFolder(place), '4.22.0');
    for (const name of ['@tensorflow/tfjs-core', 'google-protobuf'])
      version(join(stagedFolder(place), '../..', name), '4.22.0');
  });

  it('is beside our tfjs-core', () => {
    expect(existsSync(join(findPlace().modules, '@tensorflow/tfjs-core/package.json'))).toBe(true);
  });

  it('keeps one tfjs-core, and puts what only the package needs inside it', () => {
    settle(place);
    expect(readdirSync(join(stagedFolder(place), 'node_modules'))).toEqual(['google-protobuf']);
  });

  it('refuses to bring a second tfjs-core', () => {
    version(join(place.modules, '@tensorflow/tfjs-core'), '4.21.0');
    expect(() => settle(place)).toThrow(/needs @tensorflow\/tfjs-core 4\.22\.0, and 4\.21\.0 is installed here/);
  });

  it('moves out what it moved in, and puts back what was there', () => {
    put(join(place.folder, 'former'), 'here');
    const moveOut = moveIn(place, stagedFolder(place), 'a wheel');
    expect(origin(place)).toBe('a wheel');
    expect(existsSync(join(place.folder, 'former'))).toBe(false);
    moveOut();
    expect(readFileSync(join(place.folder, 'former'), 'utf8')).toBe('here');
    expect(origin(place)).toBeUndefined();
  });

  it('undoes only its own work', () => {
    expect(() => remove(place)).toThrow(/--undo: .* is not installed/);
    put(join(place.folder, 'index.js'), '');
    expect(() => remove(place)).toThrow(/was not put there by this command/);
    rmSync(place.folder, { recursive: true });
    moveIn(place, stagedFolder(place), 'a wheel');
    expect(remove(place)).toBe('a wheel');
    expect(existsSync(place.folder)).toBe(false);
  });

  it('clears the staging of runs that were killed, not of those that run', () => {
    mkdirSync(join(place.modules, '.install-tensorflow-999999999'));
    mkdirSync(join(place.modules, `.install-tensorflow-${process.ppid}`));
    makeStaging(place);
    expect(
      readdirSync(place.modules)
        .filter((name) => name.startsWith('.'))
        .sort(),
    ).toEqual([process.pid, process.ppid].map((pid) => `.install-tensorflow-${pid}`).sort());
  });
});

describe('the command', () => {
  const call = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    let [out, err] = ['', ''];
    const code = await installTensorflowCommand(args, { out: (text) => (out += text), err: (text) => (err += text) });
    return { code, out, err };
  };

  it('--dry-run says every step and touches nothing', async () => {
    const { modules } = findPlace();
    const before = readdirSync(modules);
    const { code, out } = await call('--dry-run', '--cuda', '--tensorflow', '2.16.2');
    expect(code).toBe(0);
    expect(out).toMatch(
      /npm install --ignore-scripts @tensorflow\/tfjs-node-gpu@4\.22\.0[^]*npm run install[^]*pip download --no-deps [^]*tensorflow==2\.16\.2[^]*nvidia-\*[^]*tfjs_binding\.node[^]*against Float64/,
    );
    expect(readdirSync(modules)).toEqual(before);
  });

  it('refuses options it does not know and wheels that are not there, in one line', async () => {
    expect((await call('--gpu')).err).toMatch(/unknown option '--gpu'/);
    const { code, err } = await call('--force', '--wheel', join(folder, 'absent.whl'));
    expect(code).toBe(1);
    expect(err).toMatch(/^--wheel: .*absent\.whl does not exist\.\n$/);
  });

  it('tells why a program failed by its first error, and when it is not there', async () => {
    const failed = await run(process.execPath, [
      '-e',
      'console.error("warning: x\\nERROR: no such package\\nbye"); process.exit(3)',
    ]);
    expect(failed.code).toBe(3);
    expect(reasonOf(failed)).toBe('ERROR: no such package');
    expect(reasonOf({ code: 3, out: '', err: '' })).toBe('exit code 3');
    expect(
      reasonOf(await run(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { timeoutSeconds: 0.2 })),
    ).toMatch(/took too long/);
    await expect(run('no-such-program-here', [])).rejects.toThrow(/no-such-program-here: is not on the PATH/);
  });
});
