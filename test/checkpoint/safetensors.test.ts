import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpexlensError } from '../../src/errors.ts';
import { widenBfloat16, widenFloat16 } from '../../src/checkpoint/half-precision.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { writeSafetensors, type TensorToWrite } from '../../src/checkpoint/safetensors-write.ts';
import { createRandom, type Random } from '../../src/random.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** A file with this header text (or bytes) and this much zero data. */
function bytesOf(header: string | Uint8Array, dataBytes: number, announced?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, announced ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

async function opening(bytes: Uint8Array) {
  const path = join(folder, 'case.safetensors');
  await writeFile(path, bytes);
  return openSafetensors(path);
}

/** The message of the SpexlensError that `promise` must end in, with the folder left out. */
async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SpexlensError);
  const { kind, message } = error as SpexlensError;
  expect(kind).toBe('checkpoint');
  expect(message).not.toMatch(/\n/);
  return message.replaceAll(join(folder, '/'), '');
}

const f32 = (name: string, shape: string, begin: number, end: number): string =>
  `"${name}":{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe('every rule of the format is an error of its own', () => {
  const cases: [rule: string, bytes: () => Uint8Array, message: string][] = [
    [
      '1 shorter than 8 bytes',
      () => new Uint8Array(7),
      'is 7 bytes; a safetensors file begins with an 8-byte header length.',
    ],
    [
      '2 header above the limit',
      () => bytesOf('{}', 0, 100_000_001n),
      "announces a header of 100000001 bytes, above the format's limit of 100000000",
    ],
    [
      '2 a length only a BigInt holds',
      () => bytesOf('{}', 0, 0xffff_ffff_ffff_ffffn),
      'announces a header of 18446744073709551615 bytes',
    ],
    [
      '3 header beyond the file',
      () => bytesOf('{}', 4, 7n),
      'announces a header of 7 bytes, but the file has 6 after the length; the file is truncated.',
    ],
    ['4 not UTF-8', () => bytesOf(new Uint8Array([0x7b, 0xff, 0x7d]), 0), 'the 3-byte header is not valid UTF-8'],
    ['5 not JSON', () => bytesOf('{"a":}', 0), 'bad JSON at character 5 of 6'],
    ['5 something else first', () => bytesOf(' {}', 0), 'the header begins with " ", not "{"'],
    ['5 text after the object', () => bytesOf('{} x', 0), 'expected the end, found "x"'],
    [
      '5 duplicate tensor',
      () => bytesOf(`{${f32('a', '[1]', 0, 4)},${f32('a', '[1]', 4, 8)}}`, 8),
      'the key "a" is there twice',
    ],
    [
      '5 duplicate tensor, one spelled with an escape',
      () => bytesOf(`{${f32('a', '[1]', 0, 4)},${f32('\\u0061', '[1]', 4, 8)}}`, 8),
      'the key "a" is there twice',
    ],
    [
      '5 duplicate field',
      () => bytesOf('{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}', 0),
      'the key "dtype" is there twice',
    ],
    [
      '5 unknown field',
      () => bytesOf('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}', 0),
      'tensor "a" has an unknown field "x"',
    ],
    ['5 missing field', () => bytesOf('{"a":{"dtype":"U8","shape":[0]}}', 0), 'tensor "a" has data_offsets missing'],
    [
      '5 unknown dtype',
      () => bytesOf('{"a":{"dtype":"F31","shape":[0],"data_offsets":[0,0]}}', 0),
      'tensor "a" has dtype "F31"; the format knows BOOL, U8',
    ],
    [
      '5 dtype from the prototype',
      () => bytesOf('{"a":{"dtype":"toString","shape":[0],"data_offsets":[0,0]}}', 0),
      'tensor "a" has dtype "toString"',
    ],
    [
      '5 negative size',
      () => bytesOf('{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}', 0),
      'expected an unsigned integer',
    ],
    [
      '5 fractional size',
      () => bytesOf('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 1),
      'expected an unsigned integer, found 1.',
    ],
    [
      '5 exponent',
      () => bytesOf('{"a":{"dtype":"U8","shape":[1e3],"data_offsets":[0,1000]}}', 1000),
      'expected an unsigned integer, found 1e',
    ],
    [
      '5 an offset that a double rounds',
      () => bytesOf('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,9007199254740993]}}', 1),
      'the integer 9007199254740993 is above 2^53 - 1',
    ],
    [
      '5 shape of strings',
      () => bytesOf('{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}', 1),
      'tensor "a" has shape an array of 1; it should be',
    ],
    [
      '5 three offsets',
      () => bytesOf('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}', 1),
      'tensor "a" has data_offsets an array of 3; they should be',
    ],
    ['5 metadata that is no string', () => bytesOf('{"__metadata__":{"a":1}}', 0), '__metadata__ "a" is not a string'],
    ['5 half a surrogate pair', () => bytesOf('{"__metadata__":{"a":"\\ud800"}}', 0), 'half a surrogate pair'],
    ['5 nesting that would exhaust a stack', () => bytesOf(`{"a":${'['.repeat(200_000)}`, 0), 'nested deeper than 3'],
    [
      '6 a hole',
      () => bytesOf(`{${f32('a', '[1]', 0, 4)},${f32('b', '[1]', 8, 12)}}`, 12),
      'tensor "b" has data_offsets [8,12) and leaves 4 bytes before it that belong to no tensor; it should begin at 4.',
    ],
    [
      '6 the first not at 0',
      () => bytesOf(`{${f32('a', '[1]', 4, 8)}}`, 8),
      'tensor "a" has data_offsets [4,8) and leaves 4 bytes',
    ],
    [
      '6 an overlap',
      () => bytesOf(`{${f32('a', '[2]', 0, 8)},${f32('b', '[1]', 4, 8)}}`, 8),
      'tensor "b" has data_offsets [4,8) and overlaps the tensor before it by 4 bytes',
    ],
    [
      '6 two names for the same bytes',
      () => bytesOf(`{${f32('a', '[1]', 0, 4)},${f32('b', '[1]', 0, 4)}}`, 4),
      'overlaps the tensor before it by 4 bytes',
    ],
    [
      '7 a size that overflows',
      () => bytesOf(`{${f32('a', '[4294967296,4294967296]', 0, 4)}}`, 4),
      'tensor "a" has shape [4294967296,4294967296] of F32, whose size overflows',
    ],
    [
      '7 overflow hidden by a zero',
      () => bytesOf(`{${f32('a', '[4294967296,4294967296,0]', 0, 0)}}`, 0),
      'whose size overflows',
    ],
    [
      '8 half a byte',
      () => bytesOf('{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}', 1),
      'tensor "a" has shape [3] of F4, which is 12 bits and no whole number of bytes',
    ],
    [
      '9 offsets backwards',
      () => bytesOf(`{${f32('a', '[1]', 4, 0)}}`, 4),
      'tensor "a" has data_offsets [4,0), which end before they begin',
    ],
    [
      '9 offsets against the shape',
      () => bytesOf(`{${f32('h.0.attn.c_attn.weight', '[4,8]', 0, 100)}}`, 100),
      'tensor "h.0.attn.c_attn.weight" has data_offsets [0,100) = 100 bytes, but shape [4,8] of F32 needs 128; the file is damaged.',
    ],
    [
      '10 truncated data',
      () => bytesOf(`{${f32('a', '[4]', 0, 16)}}`, 15),
      'the header describes 16 bytes of data and the file has 15: 1 bytes are missing; the file is truncated.',
    ],
    [
      '10 trailing bytes',
      () => bytesOf(`{${f32('a', '[4]', 0, 16)}}`, 17),
      'the header describes 16 bytes of data and the file has 17: 1 bytes follow that belong to no tensor.',
    ],
  ];
  it.each(cases)('%s', async (_, bytes, expected) => {
    const message = await messageOf(opening(bytes()));
    expect(message).toMatch(/^safetensors case\.safetensors: /);
    expect(message).toContain(expected);
  });
});

describe('opening', () => {
  it('names a missing file, and a folder in its place', async () => {
    expect(await messageOf(openSafetensors(join(folder, 'none.safetensors')))).toBe(
      'safetensors none.safetensors: there is no such file.',
    );
    await mkdir(join(folder, 'dir.safetensors'), { recursive: true });
    expect(await messageOf(openSafetensors(join(folder, 'dir.safetensors')))).toContain('is not a file');
  });

  it('treats __proto__ as a name like any other', async () => {
    const source = await opening(
      bytesOf(
        `{"__metadata__":{"__proto__":"m"},${f32('__proto__', '[1]', 0, 4)},${f32('constructor', '[1]', 4, 8)}}`,
        8,
      ),
    );
    expect([...source.tensors.keys()]).toEqual(['__proto__', 'constructor']);
    expect(source.metadata.get('__proto__')).toBe('m');
    expect([...(await source.read('__proto__'))]).toEqual([0]);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  it('accepts an empty file of tensors, scalars, empty tensors and space after the header', async () => {
    expect((await opening(bytesOf('{}  ', 0))).tensors.size).toBe(0);
    const source = await opening(
      bytesOf(`{${f32('scalar', '[]', 0, 4)},${f32('none', '[3,0]', 4, 4)},${f32('first', '[0]', 0, 0)}}`, 4),
    );
    expect([...(await source.read('scalar'))]).toEqual([0]);
    expect(await source.read('none')).toHaveLength(0);
  });

  it('accepts a dtype it cannot read until that tensor is read', async () => {
    const source = await opening(
      bytesOf(
        '{"q":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}',
        3,
      ),
    );
    expect([...(await source.read('b'))]).toEqual([0]);
    expect(await messageOf(source.read('q'))).toBe(
      'safetensors case.safetensors: tensor "q" has dtype F8_E4M3, which cannot be read; F32, F16, BF16, F64, I64, I32, I16, I8, U64, U32, U16, U8 and BOOL can.',
    );
  });

  it('offers the nearest names for an unknown one', async () => {
    const source = await opening(bytesOf(`{${f32('wte.weight', '[1]', 0, 4)},${f32('wpe.weight', '[1]', 4, 8)}}`, 8));
    expect(await messageOf(source.read('wtf.weight'))).toContain(
      'has no tensor "wtf.weight" among its 2; the closest are "wte.weight", "wpe.weight".',
    );
  });

  it('refuses to read a file that changed size since it was opened', async () => {
    const source = await opening(bytesOf(`{${f32('a', '[1]', 0, 4)}}`, 4));
    await writeFile(source.path, new Uint8Array(20));
    expect(await messageOf(source.read('a'))).toMatch(/was \d+ bytes when opened and is 20 now/);
  });
});

describe('values', () => {
  it('come back for every dtype, at any alignment', async () => {
    const data = new Uint8Array(1 + 8 + 4 + 4 + 16 + 16 + 8 + 2);
    const view = new DataView(data.buffer);
    data[0] = 200;
    view.setFloat32(1, -1.5, true);
    view.setFloat32(5, 3e-42, true); // subnormal
    view.setUint16(9, 0x3e00, true); // binary16 1.5
    view.setUint16(11, 0x0001, true); // binary16 2^-24
    view.setUint16(13, 0x3fc0, true); // bfloat16 1.5
    view.setUint16(15, 0xff80, true); // bfloat16 -inf
    view.setFloat64(17, 0.1, true);
    view.setFloat64(25, -Infinity, true);
    view.setBigInt64(33, -16777216n, true);
    view.setBigInt64(41, 7n, true);
    view.setInt32(49, -5, true);
    view.setInt32(53, 9, true);
    data[57] = 1;
    const spec: [string, string, number][] = [['U8', '[1]', 1], ['F32', '[2]', 8], ['F16', '[2]', 4], ['BF16', '[2]', 4], ['F64', '[2]', 16], ['I64', '[2]', 16], ['I32', '[2]', 8], ['BOOL', '[2]', 2]]; // prettier-ignore
    let begin = 0;
    const entries = spec.map(
      ([dtype, shape, size]) =>
        `"${dtype}":{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${(begin += size)}]}`,
    );
    const bytes = bytesOf(`{${entries.join(',')}}`, data.length);
    bytes.set(data, bytes.length - data.length);
    const source = await opening(bytes);
    const read = async (name: string) => [...(await source.read(name))];
    expect(await read('U8')).toEqual([200]);
    expect(await read('F32')).toEqual([-1.5, Math.fround(3e-42)]);
    expect(await read('F16')).toEqual([1.5, 2 ** -24]);
    expect(await read('BF16')).toEqual([1.5, -Infinity]);
    expect(await read('F64')).toEqual([Math.fround(0.1), -Infinity]);
    expect(await read('I64')).toEqual([-16777216, 7]);
    expect(await read('I32')).toEqual([-5, 9]);
    expect(await read('BOOL')).toEqual([1, 0]);
    expect([...(await source.readIntegers('I64'))]).toEqual([-16777216, 7]);
    expect([...(await source.readIntegers('I32'))]).toEqual([-5, 9]);
    expect([...(await source.readIntegers('BOOL'))]).toEqual([1, 0]);
    expect(await messageOf(source.readIntegers('F32'))).toContain(
      'tensor "F32" has dtype F32, which cannot be read as integers',
    );
  });

  it('come back for the narrow and the unsigned integers, as float32 and as int32', async () => {
    const path = join(folder, 'integers.safetensors');
    await writeSafetensors(path, {
      I8: { shape: [3], data: new Int8Array([-128, 0, 127]) },
      I16: { shape: [2], data: new Int16Array([-32768, 32767]) },
      U16: { shape: [2], data: new Uint16Array([0, 65535]), dtype: 'U16' },
      U32: { shape: [2], data: new Uint32Array([0, 2 ** 24]) },
      U64: { shape: [2], data: new BigUint64Array([0n, 2n ** 24n]) },
    });
    const source = await openSafetensors(path);
    const values = { I8: [-128, 0, 127], I16: [-32768, 32767], U16: [0, 65535], U32: [0, 2 ** 24], U64: [0, 2 ** 24] };
    for (const [name, expected] of Object.entries(values)) {
      expect([...(await source.read(name))]).toEqual(expected);
      expect([...(await source.readIntegers(name))]).toEqual(expected);
    }
    await writeSafetensors(path, {
      U32: { shape: [1], data: new Uint32Array([2 ** 31]) },
      U64: { shape: [1], data: new BigUint64Array([2n ** 64n - 1n]) },
    });
    const beyond = await openSafetensors(path);
    expect(await messageOf(beyond.readIntegers('U32'))).toContain(
      'has the U32 value 2147483648 at 0, which is outside int32.',
    );
    expect(await messageOf(beyond.read('U64'))).toContain(
      'has the U64 value 18446744073709551615 at 0, which float32 cannot hold exactly.',
    );
  });

  it('that do not fit are an error with the value and its place', async () => {
    const path = join(folder, 'range.safetensors');
    await writeSafetensors(path, {
      long: { shape: [2], data: new BigInt64Array([1n, 2n ** 40n]) },
      least: { shape: [1], data: new BigInt64Array([-(2n ** 31n)]) },
      int: { shape: [1], data: new Int32Array([2 ** 24 + 1]) },
      wide: { shape: [1], data: new Float64Array([1e300]) },
      flag: { shape: [2], data: new Uint8Array([1, 2]), dtype: 'BOOL' },
    });
    const source = await openSafetensors(path);
    expect(await messageOf(source.readIntegers('long'))).toContain(
      'tensor "long" has the I64 value 1099511627776 at 1, which is outside int32.',
    );
    expect(await messageOf(source.read('int'))).toContain(
      'tensor "int" has the I32 value 16777217 at 0, which float32 cannot hold exactly.',
    );
    expect(await messageOf(source.read('wide'))).toContain('has the F64 value 1e+300 at 0, which float32 cannot hold.');
    expect(await messageOf(source.read('flag'))).toContain('has the BOOL byte 2 at 1; it should be 0 or 1.');
    expect([...(await source.readIntegers('int'))]).toEqual([2 ** 24 + 1]);
    expect([...(await source.readIntegers('least'))]).toEqual([-(2 ** 31)]);
  });

  it('longer than one 4 MB piece are converted without a seam', async () => {
    const path = join(folder, 'long.safetensors');
    const length = 3 * 2 ** 20 + 5;
    const data = Float64Array.from({ length }, (_, i) => i);
    await writeSafetensors(path, { data: { shape: [length], data } });
    const values = await (await openSafetensors(path)).read('data');
    expect(values.findIndex((value, i) => value !== i)).toBe(-1);
    expect(values).toHaveLength(length);
  });
});

describe('half precision', () => {
  it('widens all 65,536 binary16 patterns to the value the standard defines', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = new Float32Array(65536);
    widenFloat16(patterns, values);
    for (let i = 0; i < 65536; i++) {
      const sign = i & 0x8000 ? -1 : 1;
      const exponent = (i >> 10) & 31;
      const fraction = i & 1023;
      const finite = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
      const expected = sign * (exponent < 31 ? finite : fraction === 0 ? Infinity : NaN);
      if (!Object.is(values[i], expected)) expect.fail(`pattern ${i}: ${values[i]} for ${expected}`);
    }
  });

  it('widens all 65,536 bfloat16 patterns to the float32 with those upper bits', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = new Float32Array(65538);
    widenBfloat16(patterns, values, 1);
    const bits = new Uint32Array(values.buffer);
    expect(patterns.findIndex((pattern, i) => bits[i + 1] !== pattern * 65536)).toBe(-1);
    expect([bits[0], bits[65537]]).toEqual([0, 0]);
  });
});

describe('writing', () => {
  const tensors: Record<string, TensorToWrite> = {
    'z.bias': { shape: [3], data: new Float32Array([1, NaN, -0]) },
    bytes: { shape: [5], data: new Uint8Array([1, 2, 3, 4, 5]) },
    'a.weight': { shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) },
    half: { shape: [1], data: new Uint16Array([0x3c00]), dtype: 'F16' },
    empty: { shape: [0, 7], data: new Float32Array() },
  };

  it('gives the same bytes whatever the order of names, aligned to each element', async () => {
    const [one, two] = [join(folder, 'one.safetensors'), join(folder, 'two.safetensors')];
    await writeSafetensors(one, tensors, { b: '2', a: '1' });
    await writeSafetensors(two, Object.fromEntries(Object.entries(tensors).reverse()), { a: '1', b: '2' });
    const bytes = await readFile(one);
    expect(bytes.equals(await readFile(two))).toBe(true);
    expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0);
    const source = await openSafetensors(one);
    expect([...source.tensors.keys()]).toEqual(['a.weight', 'empty', 'z.bias', 'half', 'bytes']);
    expect(Object.fromEntries(source.metadata)).toEqual({ a: '1', b: '2' });
    expect([...(await source.read('z.bias'))]).toEqual([1, NaN, -0]);
    expect([...(await source.read('half'))]).toEqual([1]);
  });

  it('makes a tensor given as a function when its turn comes, one after the other', async () => {
    const made: string[] = [];
    const lazy = (name: string, values: number[]): TensorToWrite => ({
      shape: [values.length],
      dtype: 'F32',
      data: () => (made.push(name), new Float32Array(values)),
    });
    const [one, two] = [join(folder, 'eager.safetensors'), join(folder, 'lazy.safetensors')];
    await writeSafetensors(one, {
      b: { shape: [2], data: new Float32Array([1, 2]) },
      a: { shape: [1], data: new Float32Array([3]) },
    });
    await writeSafetensors(two, { b: lazy('b', [1, 2]), a: lazy('a', [3]) });
    expect(made).toEqual(['a', 'b']);
    expect((await readFile(one)).equals(await readFile(two))).toBe(true);
    await expect(writeSafetensors(two, { a: { ...lazy('a', [3]), shape: [2] } })).rejects.toThrow(
      'tensor "a" of shape [2] needs 2 values and has 1',
    );
  });

  it('leaves the old file and nothing else when it fails', async () => {
    const inner = join(folder, 'failing');
    await mkdir(inner, { recursive: true });
    const path = join(inner, 'model.safetensors');
    await writeSafetensors(path, tensors);
    await expect(writeSafetensors(path, { a: { shape: [3], data: new Float32Array(2) } })).rejects.toThrow(
      'tensor "a" of shape [3] needs 3 values and has 2',
    );
    await expect(writeSafetensors(path, { __metadata__: { shape: [], data: new Float32Array(1) } })).rejects.toThrow(
      'reserves the name',
    );
    await expect(writeSafetensors(inner, tensors)).rejects.toThrow(SpexlensError);
    await expect(writeSafetensors(join(inner, 'no', 'such.safetensors'), tensors)).rejects.toThrow(
      /could not be written \(ENOENT/,
    );
    expect(await readdir(inner)).toEqual(['model.safetensors']);
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
    expect((await openSafetensors(path)).tensors.size).toBe(5);
  });
});

describe('200 seeded mutations of a valid file', () => {
  it('are each one clear error or a correct load, and write nothing', async () => {
    const inner = join(folder, 'mutations');
    await mkdir(inner);
    const path = join(inner, 'model.safetensors');
    await writeSafetensors(
      path,
      {
        'h.0.weight': { shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i / 7) },
        'h.0.half': { shape: [5], data: new Uint16Array([1, 2, 3, 0x7c01, 5]), dtype: 'BF16' },
        'h.0.ids': { shape: [2], data: new BigInt64Array([-3n, 9n]) },
        'h.0.mask': { shape: [3], data: new Uint8Array([0, 1, 1]), dtype: 'BOOL' },
      },
      { format: 'pt' },
    );
    const original = new Uint8Array(await readFile(path));
    let loads = 0;
    let errors = 0;
    for (let seed = 0; seed < 200; seed++) {
      const bytes = mutate(original, createRandom(seed, 'safetensors'));
      await writeFile(path, bytes);
      const started = performance.now();
      try {
        const source = await openSafetensors(path);
        for (const name of source.tensors.keys())
          expect(bitsOf(await source.read(name))).toEqual(bitsOf(naiveRead(bytes, name)));
        loads++;
      } catch (error) {
        if (!(error instanceof SpexlensError)) throw error;
        expect(error.message).toMatch(/^safetensors [^\n]+\.$/);
        expect(error.message.length).toBeLessThan(700);
        errors++;
      }
      expect(performance.now() - started).toBeLessThan(2000);
      expect(await readdir(inner)).toEqual(['model.safetensors']);
    }
    expect(errors).toBeGreaterThan(100);
    expect(loads).toBeGreaterThan(10);
  });
});

/** One fault: truncation, bit flips, header edits, huge lengths, nesting, junk. */
function mutate(original: Uint8Array, random: Random): Uint8Array {
  const headerLength = Number(new DataView(original.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(original.subarray(8, 8 + headerLength));
  const rebuilt = (text: string): Uint8Array => {
    const json = new TextEncoder().encode(text);
    const bytes = bytesOf(json, original.length - 8 - headerLength);
    bytes.set(original.subarray(8 + headerLength), 8 + json.length);
    return bytes;
  };
  const bytes = original.slice();
  switch (random.integer(8)) {
    case 0:
      return bytes.subarray(0, random.integer(bytes.length));
    case 1: {
      const flips = 1 + random.integer(3);
      for (let i = 0; i < flips; i++) bytes[random.integer(bytes.length)] ^= 1 << random.integer(8);
      return bytes;
    }
    case 2: // a flip in the data alone is a correct load of other numbers
      bytes[8 + headerLength + random.integer(bytes.length - 8 - headerLength)] ^= 1 << random.integer(8);
      return bytes;
    case 3: {
      // some number of the header becomes another
      const numbers = [...header.matchAll(/\d+/g)];
      const hit = numbers[random.integer(numbers.length)];
      const other = [random.integer(200), 2 ** 31, 2 ** 53, '18446744073709551616', -1, 1e21, 0][random.integer(7)];
      return rebuilt(header.slice(0, hit.index) + String(other) + header.slice(hit.index + hit[0].length));
    }
    case 4: {
      const lengths = [
        0n,
        1n,
        BigInt(headerLength - 1),
        BigInt(headerLength + 1),
        100_000_000n,
        2n ** 31n,
        2n ** 63n,
        2n ** 64n - 1n,
      ];
      new DataView(bytes.buffer).setBigUint64(0, lengths[random.integer(lengths.length)], true);
      return bytes;
    }
    case 5: {
      const at = header.indexOf('[', random.integer(200));
      return rebuilt(header.slice(0, at) + (random.integer(2) ? '[' : '{"a":').repeat(50_000) + header.slice(at));
    }
    case 6: {
      const at = random.integer(header.length);
      return rebuilt(
        header.slice(0, at) + ['"', '\\', '}', ',', '\u0000', '\u00e9', ' ', '0'][random.integer(8)] + header.slice(at),
      );
    }
    default: {
      const longer = new Uint8Array(bytes.length + 1 + random.integer(64));
      longer.set(bytes);
      return longer;
    }
  }
}

/** An independent reader: the whole file at once, JSON.parse, DataView. */
function naiveRead(bytes: Uint8Array, name: string): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const { dtype, data_offsets } = header[name];
  const [begin, end] = data_offsets;
  const width = { F32: 4, BF16: 2, F16: 2, I64: 8, F64: 8, I32: 4, BOOL: 1, U8: 1 }[dtype] ?? 0;
  return Float32Array.from({ length: (end - begin) / width }, (_, i) => {
    const at = start + begin + i * width;
    if (dtype === 'I64') return Number(view.getBigInt64(at, true));
    if (dtype === 'F64') return view.getFloat64(at, true);
    if (dtype === 'I32') return view.getInt32(at, true);
    if (dtype === 'F32') return view.getFloat32(at, true);
    if (width === 1) return view.getUint8(at);
    const widened = new Float32Array(1);
    (dtype === 'BF16' ? widenBfloat16 : widenFloat16)(new Uint16Array([view.getUint16(at, true)]), widened);
    return widened[0];
  });
}

/** Bit patterns, all NaN alike: carrying a NaN through a number may set its quiet bit. */
function bitsOf(values: Float32Array): number[] {
  return [...new Uint32Array(values.buffer)].map((bits, i) => (Number.isNaN(values[i]) ? 0x7fc00000 : bits));
}
