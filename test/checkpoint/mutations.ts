/** Seeded ways to damage a file, for tests that load what is left. */
import type { Random } from '../../src/random.ts';
import { readZip, zipOf } from './zip-bytes.ts';

const pick = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)];

/** Bits, bytes and lengths, of any file. */
export function mutateBytes(original: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(original);
  const at = random.integer(bytes.length);
  const some = 1 + random.integer(Math.min(64, bytes.length - at));
  switch (random.integer(6)) {
    case 0: // cut short
      return bytes.subarray(0, at);
    case 1: // flipped bits
      for (let i = 1 + random.integer(3); i > 0; i--) bytes[random.integer(bytes.length)] ^= 1 << random.integer(8);
      return bytes;
    case 2: // a run of one byte: lengths become huge or nothing
      return bytes.fill(pick(random, [0, 255, 127]), at, at + some);
    case 3: // a piece taken out
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + some)]);
    case 4: // a piece twice
      return Buffer.concat([bytes.subarray(0, at + some), bytes.subarray(at)]);
    default: // junk at the end
      return Buffer.concat([bytes, Uint8Array.from({ length: some }, () => random.integer(256))]);
  }
}

/** Values that something in a JSON file may be replaced by. */
// prettier-ignore
const NASTY: readonly unknown[] = [
  null, true, false, 0, -1, 1, 1.5, 7, 1e9, 2 ** 31, 2 ** 53, 1e308, -1e308, '', '../../outside', '/etc/passwd', 'C:\\x', 'a\0b', '__proto__', 'constructor',
  'x'.repeat(100_000), [], {}, [[]], [null], { a: 1 }, { __proto__x: {} }, [1, 2, 3], [-1], ['../x'], Array.from({ length: 2000 }, () => 0), '(', '(a+)+$', '\ud800',
];

/** One value of a JSON file becomes another, a key is renamed, dropped or nested deep; or its bytes are damaged. */
export function mutateJson(text: string, random: Random): Uint8Array {
  if (random.integer(4) === 0) return mutateBytes(new TextEncoder().encode(text), random);
  const root = JSON.parse(text) as unknown;
  const places: [object, string][] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node).slice(0, 40)) {
      places.push([node, key]);
      visit((node as Record<string, unknown>)[key]);
    }
  };
  visit(root);
  const [parent, key] = pick(random, places) as [Record<string, unknown>, string];
  switch (random.integer(6)) {
    case 0:
      delete parent[key];
      break;
    case 1:
      parent[pick(random, ['__proto__x', 'toString', `${key}2`, '', '../a'])] = parent[key];
      delete parent[key];
      break;
    case 2: {
      const depth = pick(random, [100, 100_000]);
      const marked = `"${random.integer(2 ** 30)}"`;
      parent[key] = JSON.parse(marked) as string;
      return new TextEncoder().encode(JSON.stringify(root).replace(marked, '['.repeat(depth) + ']'.repeat(depth)));
    }
    default:
      parent[key] = pick(random, NASTY);
  }
  return new TextEncoder().encode(JSON.stringify(root));
}

/** What a malicious pickle would say: calls of functions, in every way a pickle can. */
const CALLS = [
  'cos\nsystem\n(X\x05\0\0\0touchtR',
  'cbuiltins\neval\n(X\x01\0\0\x001tR',
  '\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R',
  '(X\x04\0\0\0trueios\nsystem\n',
  '(cos\nsystem\nX\x04\0\0\0trueo',
  'csubprocess\nPopen\n)\x81',
  'ctorch.hub\nload\n)R',
  'ctorch\nload\n(X\x01\0\0\0atR',
  'ctorch._utils\n_rebuild_tensor_v2\n)R',
  'ctorch\nFloatStorage\n(K\x01tR',
  'ccollections\nOrderedDict\n}b',
  '\x82\x01R',
  'P../../x\n',
  'X\x04\0\0\0trueQ',
];

/** A PyTorch file: its bytes, its pickle, a call put into the pickle, or the table of its zip. */
export function mutateTorch(original: Buffer, random: Random): Uint8Array {
  if (random.integer(3) === 0) return mutateBytes(original, random);
  const records = readZip(original);
  const k = records.findIndex(({ name }) => name.endsWith('data.pkl'));
  const pickle = Buffer.from(records[k].bytes);
  const replaced = (bytes: Uint8Array): Uint8Array => zipOf(records.with(k, { ...records[k], bytes }));
  const at = random.integer(pickle.length);
  switch (random.integer(6)) {
    case 0:
      return replaced(
        Buffer.concat([pickle.subarray(0, at), Buffer.from(pick(random, CALLS), 'latin1'), pickle.subarray(at)]),
      );
    case 1: // in front of STOP, where it is sure to be reached
      return replaced(
        Buffer.concat([pickle.subarray(0, -1), Buffer.from(pick(random, CALLS), 'latin1'), Buffer.from('.')]),
      );
    case 2:
      return replaced(
        Buffer.concat([
          pickle.subarray(0, 2),
          Buffer.from(pick(random, ['(', ']', '}', ')', 'N', '(K\x01t']).repeat(pick(random, [10, 100_000])), 'latin1'),
          pickle.subarray(2),
        ]),
      );
    case 3: // a name becomes another
      return replaced(
        Buffer.from(
          pickle
            .toString('latin1')
            .replace(
              pick(random, ['_rebuild_tensor_v2', 'OrderedDict', 'FloatStorage', 'storage', 'cpu']),
              pick(random, ['system', '__import__', 'LongStorage', '_rebuild_tensor_v3', '..']),
            ),
          'latin1',
        ),
      );
    case 4: {
      const one = random.integer(records.length);
      return zipOf(
        records.with(one, {
          ...records[one],
          ...pick(random, [
            { method: 8 },
            { flags: 1 },
            { claims: 2 ** 32 - 2 },
            { claims: 0 },
            { headerAt: random.integer(original.length) },
            { name: '../../outside' },
            { name: `${records[one].name}/..` },
            { localName: 'x' },
          ]),
        }),
        { zip64: random.integer(2) === 1 },
      );
    }
    default:
      return replaced(mutateBytes(pickle, random));
  }
}

/** Numbers that a length, count or offset may be replaced by. */
const LENGTHS = [0n, 1n, 63n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** A GGUF file: its bytes, mostly those of its head; a length in it becomes another. */
export function mutateGguf(original: Buffer, random: Random): Uint8Array {
  const head = original.lastIndexOf('output_norm.weight') + 60;
  if (random.integer(3) === 0) return mutateBytes(original, random);
  if (random.integer(2) === 0)
    return Buffer.concat([mutateBytes(original.subarray(0, head), random), original.subarray(head)]);
  const bytes = Buffer.from(original);
  bytes.writeBigUInt64LE(pick(random, LENGTHS), random.integer(head - 8));
  return bytes;
}
