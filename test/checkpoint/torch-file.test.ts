/** PyTorch files: golden ones that torch.save wrote (golden/make-torch.py), and ones that no torch.save writes. */
import { copyFile, mkdtemp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpexlensError } from '../../src/errors.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { openTorchFile } from '../../src/checkpoint/torch/torch-file.ts';
import { readZip, torchFile, zipOf, type ZipRecord } from './zip-bytes.ts';

const GOLDEN = join(import.meta.dirname, '../golden/torch');
type Values = Record<string, Record<string, { shape: number[]; values: number[] }>>;
const golden = (JSON.parse(await readFile(join(GOLDEN, 'values.json'), 'utf8')) as { files: Values }).files;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'torch-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SpexlensError);
  const { kind, message } = error as SpexlensError;
  expect(kind).toBe('checkpoint');
  expect(message).toMatch(/^torch file [^\n]+\.$/);
  return message;
}
async function opening(bytes: Uint8Array) {
  const path = join(folder, 'case.pth');
  await writeFile(path, bytes);
  return openTorchFile(path);
}
/** Pickle bytes from text (one byte per character) and numbers. */
const pickle = (...parts: (string | number)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part, 'latin1'))));
const DICT = '\x80\x02}';

describe('a file of torch.save', () => {
  it.each(Object.keys(golden))('%s gives the values that PyTorch reads', async (name) => {
    const source = await openTorchFile(join(GOLDEN, name));
    for (const [tensor, { shape, values }] of Object.entries(golden[name])) {
      expect(source.tensors.get(tensor)?.shape, tensor).toEqual(shape);
      expect([...(await source.read(tensor))], tensor).toEqual(values);
    }
  });

  it('gives the dtypes their names', async () => {
    const source = await openTorchFile(join(GOLDEN, 'dtypes.pth'));
    expect([...source.tensors.values()].map(({ dtype }) => dtype)).toEqual([
      'F32',
      'F16',
      'BF16',
      'F64',
      'I8',
      'I16',
      'I32',
      'I64',
      'U8',
      'U16',
      'U32',
      'U64',
      'BOOL',
    ]);
    expect([...(await source.readIntegers('torch.int64'))]).toEqual([-128, 0, 127]);
    expect(await messageOf(source.readIntegers('torch.float16'))).toContain(
      'has dtype F16, which cannot be read as integers',
    );
  });

  it('with elements that repeat opens, and refuses just those tensors', async () => {
    const source = await openTorchFile(join(GOLDEN, 'strided.pth'));
    expect(await messageOf(source.read('expanded'))).toContain(
      'tensor "expanded" has sizes [4] and strides [0], which use elements more than once; save it after .contiguous().',
    );
    expect(await messageOf(source.read('overlapping'))).toContain('sizes [3,3] and strides [1,1]');
    expect(await messageOf(source.read('whol'))).toContain('the closest are "whole"');
  });

  it('read in windows of 4 MB is the same tensor, transposed or cut', async () => {
    const [rows, cols] = [1200, 1500]; // 7.2 MB
    const data = Float32Array.from({ length: rows * cols }, (_, i) => i);
    const source = await opening(
      torchFile(
        {
          turned: { sizes: [cols, rows], strides: [1, cols], offset: 0 },
          odd: { sizes: [rows / 2, 7], strides: [2 * cols, 200], offset: 11 },
        },
        data,
      ),
    );
    const turned = await source.read('turned');
    const odd = await source.read('odd');
    for (const [i, j] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1499, 1199],
      [700, 801],
    ])
      expect(turned[i * rows + j]).toBe(j * cols + i);
    expect(turned.every((value, at) => value === (at % rows) * cols + Math.floor(at / rows))).toBe(true);
    expect(odd.every((value, at) => value === 11 + 2 * cols * Math.floor(at / 7) + 200 * (at % 7))).toBe(true);
  });

  it.each([
    [
      'old.pth',
      'was written by torch.save before PyTorch 1.6, which is not read; load it in PyTorch and save it again, best with safetensors.torch.save_file.',
    ],
    ['complex.pth', 'asks for "torch.ComplexFloatStorage", which is refused'],
    ['whole-module.pth', 'asks for "torch.nn.modules.linear.Linear", which is refused'],
    ['list.pth', 'holds something that is not a dictionary; save model.state_dict().'],
    ['script.pth', 'is compressed (method 8; TorchScript programs are), and only dictionaries of tensors are read'],
  ])('%s is refused by name', async (name, message) => {
    expect(await messageOf(openTorchFile(join(GOLDEN, name)))).toContain(message);
  });

  it('that would run a program runs nothing and says what it asked for', async () => {
    expect(await messageOf(openTorchFile(join(GOLDEN, 'runs.pth')))).toMatch(
      /asks for "(posix|nt)\.system", which is refused \(a pickle can run any program/,
    );
    await expect(readFile('executed')).rejects.toThrow('ENOENT');
  });
});

describe('a model folder with a PyTorch file', () => {
  it('opens from pytorch_model.bin, from shards and from the only .pth', async () => {
    const cases: [files: Record<string, string>, index?: object][] = [
      [{ 'linear.pth': 'pytorch_model.bin' }],
      [{ 'linear.pth': 'trained-later.pth' }],
      [{ 'linear.pth': 'model_final.pth', 'dtypes.pth': 'other.pth' }],
      [
        { 'linear.pth': 'a-1.bin', 'lens.pth': 'a-2.bin' },
        {
          ...mapTo('a-1.bin', ['weight', 'bias']),
          ...mapTo('a-2.bin', [...Object.keys(golden['lens.pth']), 'blocks.0.attn.mask', 'blocks.0.attn.IGNORE']),
        },
      ],
    ];
    for (const [k, [files, weightMap]] of cases.entries()) {
      const model = join(folder, `model-${k}`);
      await mkdir(model);
      await writeFile(join(model, 'config.json'), '{}');
      for (const [from, to] of Object.entries(files)) await copyFile(join(GOLDEN, from), join(model, to));
      if (weightMap !== undefined)
        await writeFile(join(model, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: weightMap }));
      const checkpoint = await openCheckpoint(model);
      expect([...(await checkpoint.read('weight'))]).toEqual(golden['linear.pth']['weight'].values);
    }
  });
});
const mapTo = (shard: string, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, shard]));

describe('a pickle', () => {
  const runs = 'cos\nsystem\n(X\x05\0\0\0touchtR';
  const refusals: [name: string, bytes: Uint8Array, message: string][] = [
    ['GLOBAL and REDUCE', pickle('\x80\x02', runs, '.'), 'asks for "os.system"'],
    ['STACK_GLOBAL', pickle('\x80\x04\x8c\x08builtins\x8c\x04eval\x93.'), 'asks for "builtins.eval"'],
    [
      'a name that only begins like an allowed one',
      pickle('\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.'),
      'asks for "torch._utils._rebuild_tensor_v2.__globals__"',
    ],
    [
      'a name put together of two allowed parts',
      pickle('\x80\x04\x8c\x05torch\x8c\x0d_utils.system\x93.'),
      'asks for "torch._utils.system"',
    ],
    ['INST', pickle('\x80\x02(ios\nsystem\n.'), 'has the opcode INST, which is refused'],
    ['OBJ', pickle('\x80\x02(ccollections\nOrderedDict\no.'), 'the opcode OBJ'],
    ['NEWOBJ', pickle('\x80\x02ccollections\nOrderedDict\n)\x81.'), 'the opcode NEWOBJ'],
    ['EXT1', pickle('\x80\x02\x82\x01.'), 'the opcode EXT1'],
    ['an out-of-band buffer', pickle('\x80\x05\x97.'), 'the opcode NEXT_BUFFER'],
    ['BUILD of something else', pickle('\x80\x02)}b.'), 'sets the state of something that is not a dictionary'],
    [
      'a call of a storage type',
      pickle('\x80\x02ctorch\nFloatStorage\n)R.'),
      'calls "torch.FloatStorage", which is not a function',
    ],
    ['a call of a value', pickle('\x80\x02K\x01)R.'), 'calls something that is not a name with arguments'],
    ['protocol 0', pickle('(dp0\n.'), 'the opcode DICT'],
    ['protocol 6', pickle('\x80\x06.'), 'is of protocol 6'],
    ['no STOP', pickle(DICT), 'ends without STOP'],
    ['an empty stack', pickle('\x80\x020.'), 'closes a mark that it did not set'],
    [
      'a string longer than the file',
      pickle('\x80\x02X\xff\xff\xff\xff.'),
      'is cut short: 4294967295 bytes are announced and 1 are left',
    ],
    [
      'a string of 2^63 bytes',
      pickle('\x80\x04\x8d\0\0\0\0\0\0\0\x80.'),
      'is cut short: 9223372036854775808 bytes are announced',
    ],
    ['an integer of 255 bytes', pickle('\x80\x02\x8a\xff', '\x01'.repeat(255), '.'), 'has an integer of 255 bytes'],
    ['100,000 nested marks', pickle('\x80\x02', '('.repeat(100_000), '.'), 'nests deeper than 1000'],
    ['a million lists', pickle('\x80\x02', ']'.repeat(1_000_000), '.'), 'builds more than 400000 lists'],
    ['a memo it never wrote', pickle('\x80\x02h\x07.'), 'recalls value 7, which it never stored'],
    ['a dictionary as a key', pickle('\x80\x02}}K\x01s.'), 'a dictionary key that is not a plain value'],
    ['values left over', pickle(DICT, '}.'), 'stops with values left over'],
    [
      'no tensors',
      pickle(DICT, 'X\x05\0\0\0epochK\x01s.'),
      'holds a dictionary without tensors ("epoch"); save model.state_dict().',
    ],
  ];
  it.each(refusals)('with %s is refused, naming it', async (_, bytes, message) => {
    const started = performance.now();
    expect(await messageOf(opening(zipOf([{ name: 'a/data.pkl', bytes }])))).toContain(message);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(await readdir(folder)).not.toContain('touch');
  });

  it('whose tuples double 40 times is one short walk', async () => {
    const doubled = pickle(DICT, ')q\0', 'h\0h\0\x86q\0'.repeat(40), '0.');
    expect(await messageOf(opening(zipOf([{ name: 'a/data.pkl', bytes: doubled }])))).toContain(
      'stops with values left over',
    );
  });

  it.each([
    [{ sizes: [3, 4], strides: [4, 1], offset: 1 }, 'reaches element 12 of a storage of 12'],
    [{ sizes: [2 ** 40, 2 ** 40], strides: [1, 1], offset: 0 }, 'of a storage of 12'],
    [{ sizes: [3], strides: [1, 1], offset: 0 }, 'sizes and strides that are not as many whole numbers'],
    [{ sizes: [-3], strides: [1], offset: 0 }, 'sizes and strides that are not as many whole numbers'],
    [{ sizes: [3], strides: [-1], offset: 2 }, 'sizes and strides that are not as many whole numbers'],
    [{ sizes: [3], strides: [1], offset: -1 }, 'from something that is no storage'],
    [
      { sizes: [3], strides: [1], offset: 0, storage: '../secret' },
      'names the storage "../secret", which the file does not have',
    ],
    [
      { sizes: [3], strides: [1], offset: 0, count: 13 },
      'says that storage "0" has 13 elements of 4 bytes, but it has 48 bytes',
    ],
  ])('with a tensor of %o says what is wrong with it', async (layout, message) => {
    expect(await messageOf(opening(torchFile({ a: layout }, new Float32Array(12))))).toContain(message);
  });
});

describe('a zip file', () => {
  const good = async (): Promise<ZipRecord[]> => readZip(await readFile(join(GOLDEN, 'linear.pth')));
  const weight = golden['linear.pth']['weight'].values;

  it('of our own making is read like one of torch.save, plain or zip64, with a comment', async () => {
    for (const options of [{}, { zip64: true }, { comment: 'PK\x05\x06 a comment' }]) {
      expect([...(await (await opening(zipOf(await good(), options))).read('weight'))]).toEqual(weight);
    }
  });

  const changed: [name: string, change: (records: ZipRecord[]) => ZipRecord[], message: string][] = [
    [
      'a compressed entry',
      (r) => r.with(0, { ...r[0], method: 8 }),
      'is compressed (method 8; TorchScript programs are), and only dictionaries of tensors are read; torch.save writes none like it.',
    ],
    ['an encrypted entry', (r) => r.with(0, { ...r[0], flags: 1 }), 'is encrypted'],
    ['two entries of one name', (r) => [...r, r[0]], 'its entry "linear/data.pkl" is there twice'],
    [
      'a name that climbs',
      (r) => [...r, { name: 'linear/../../x', bytes: new Uint8Array(1) }],
      'has a name that could leave the archive',
    ],
    [
      'an absolute name',
      (r) => [...r, { name: '/etc/x', bytes: new Uint8Array(1) }],
      'has a name that could leave the archive',
    ],
    [
      'a name with a backslash',
      (r) => [...r, { name: 'linear\\x', bytes: new Uint8Array(1) }],
      'has a name that could leave the archive',
    ],
    [
      'an entry inside another',
      (r) => [...r, { name: 'linear/data/9', bytes: new Uint8Array(4), headerAt: 20 }],
      'overlaps what begins at 20',
    ],
    ['an entry beyond the end', (r) => r.with(1, { ...r[1], claims: 2 ** 31 }), 'of 2147483648 bytes at'],
    [
      'big-endian numbers',
      (r) => r.map((e) => (e.name.endsWith('byteorder') ? { ...e, bytes: new TextEncoder().encode('big   ') } : e)),
      'was not written in little-endian byte order',
    ],
    ['no pickle', (r) => r.filter((e) => !e.name.endsWith('data.pkl')), 'is a zip file with 0 data.pkl'],
    [
      'a storage that is missing',
      (r) => r.filter((e) => e.name !== 'linear/data/0'),
      'names the storage "0", which the file does not have',
    ],
    [
      'another name in the local header',
      (r) => r.with(0, { ...r[0], localName: 'linear/data.pkk' }),
      'has a local header that is not its own',
    ],
  ];
  it.each(changed)('with %s is refused', async (_, change, message) => {
    const records = await good();
    expect(await messageOf(opening(zipOf(change(records))))).toContain(message);
  });

  it('with bytes before it, cut short, or empty, is refused', async () => {
    const bytes = zipOf(await good());
    expect(await messageOf(opening(Buffer.concat([Buffer.from('PK\x03\x04'), bytes])))).toContain(
      'the central directory is',
    );
    expect(await messageOf(opening(bytes.subarray(0, -30)))).toContain('has no zip directory at its end');
    expect(await messageOf(opening(new Uint8Array(0)))).toContain('is not a zip file, which torch.save writes.');
    expect(await messageOf(openTorchFile(folder))).toContain('is not a file; a PyTorch file was looked for here.');
    expect(await messageOf(openTorchFile(join(folder, 'none')))).toContain('there is no such file.');
  });
});
