/**
 * PyTorch files (.pth, .pt, .bin): a dictionary of tensors, read without PyTorch and without running anything.
 *
 * torch.save writes a zip file: `<root>/data.pkl` says which tensor is which part of which storage, and
 * `<root>/data/<key>` are the storages, uncompressed. The pickle may name the functions below and no other
 * (pickle.ts). A tensor is storage, offset, sizes and strides, in elements: any layout whose elements do not
 * repeat is read in order of address, so it costs one pass over its part of the storage.
 *
 * Besides a plain dictionary, one that holds the dictionary under one of WRAPPERS is read; what is not a
 * tensor in it (an epoch, a loss) is passed over. Layout: torch/serialization.py and torch/_utils.py.
 */
import { fail } from '../../errors.ts';
import { allocate, floats, readFully, readValues, withFile } from '../file-bytes.ts';
import { quote } from '../strict-json.ts';
import { noSuchTensor, type TensorSource } from '../tensor-source.ts';
import { toFloat32, toInt32, type Fault, type PieceConverter } from '../tensor-values.ts';
import { isKind, unpickle, type PickleValue } from './pickle.ts';
import { gather, isContiguous, layoutFault, type Layout } from './strides.ts';
import { dataStart, readZipDirectory, type ZipEntry } from './zip-directory.ts';

interface Storage {
  readonly what: 'storage';
  /** Undefined for an untyped one. */
  readonly dtype: string | undefined;
  readonly entry: ZipEntry;
}
interface TorchTensor extends Layout {
  readonly what: 'tensor';
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly entry: ZipEntry;
}
type Made = Storage | TorchTensor;

const WHAT = 'a PyTorch file';
const PICKLE_LIMIT = 64 << 20;
/** Keys under which training scripts put the dictionary. */
const WRAPPERS = ['state_dict', 'model_state_dict', 'model'];
/** What torch.save wrote before version 1.6 begins with: a pickled magic number. */
const OLD_MAGIC = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9];

/** Storage class or dtype of torch -> dtype as safetensors spells it, and bytes per element. */
// prettier-ignore
const DTYPES: Readonly<Record<string, readonly [dtype: string, bytes: number]>> = {
  FloatStorage: ['F32', 4], HalfStorage: ['F16', 2], BFloat16Storage: ['BF16', 2], DoubleStorage: ['F64', 8], LongStorage: ['I64', 8],
  IntStorage: ['I32', 4], ShortStorage: ['I16', 2], CharStorage: ['I8', 1], ByteStorage: ['U8', 1], BoolStorage: ['BOOL', 1],
  uint16: ['U16', 2], uint32: ['U32', 4], uint64: ['U64', 8],
};
const WIDTHS = new Map(Object.values(DTYPES));
const UNTYPED = ['torch.storage.UntypedStorage', 'torch.UntypedStorage'];
const FUNCTIONS = [
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_tensor_v3',
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
  'collections.OrderedDict',
];

/** Whether a pickle may mention `name`: the functions above, torch's storages and dtypes. */
function allows(name: string): boolean {
  return FUNCTIONS.includes(name) || UNTYPED.includes(name) || dtypeOf(name) !== undefined;
}

function dtypeOf(global: string): string | undefined {
  const name = global.startsWith('torch.') ? global.slice('torch.'.length) : '';
  return Object.hasOwn(DTYPES, name) ? DTYPES[name][0] : undefined;
}

/**
 * Opens a PyTorch file: reads its directory and its pickle, no data.
 *
 * @throws 'checkpoint' when the file is missing, damaged, of the format before PyTorch 1.6, or asks for anything but tensors.
 */
export async function openTorchFile(path: string): Promise<TensorSource> {
  const who = `torch file ${path}`;
  const { tensors, fileBytes } = await withFile(path, who, WHAT, undefined, async (file, size) => {
    const first = await readFully(file, new Uint8Array(Math.min(size, 16)), 0, who);
    if (OLD_MAGIC.every((byte, i) => first[i] === byte)) {
      throw fail(
        'checkpoint',
        who,
        'was written by torch.save before PyTorch 1.6, which is not read; load it in PyTorch and save it again, best with safetensors.torch.save_file.',
      );
    }
    if (first[0] !== 0x50 || first[1] !== 0x4b)
      throw fail('checkpoint', who, 'is not a zip file, which torch.save writes.');
    const entries = await readZipDirectory(file, size, who);
    const read = async (entry: ZipEntry): Promise<Uint8Array> =>
      readFully(file, new Uint8Array(entry.bytes), await dataStart(file, entry, who), who);
    const root = rootOf(entries, who);
    const order = entries.get(`${root}byteorder`);
    if (order !== undefined && (order.bytes !== 6 || new TextDecoder().decode(await read(order)) !== 'little')) {
      throw fail(
        'checkpoint',
        who,
        'was not written in little-endian byte order, the only one read; save it on a little-endian machine.',
      );
    }
    const pickle = entries.get(`${root}data.pkl`);
    if (pickle === undefined || pickle.bytes > PICKLE_LIMIT)
      throw fail('checkpoint', who, `has a data.pkl of ${pickle?.bytes} bytes, above the limit of ${PICKLE_LIMIT}.`);
    return { tensors: tensorsOf(unpickle(await read(pickle), worldOf(root, entries, who)), who), fileBytes: size };
  });

  const load = async <T extends Float32Array | Int32Array>(
    name: string,
    make: (length: number) => T,
    makeWindow: (length: number) => T,
    convert: (dtype: string, fault: Fault) => PieceConverter<T> | 'as is',
  ): Promise<T> => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw noSuchTensor(who, name, tensors.keys(), tensors.size);
    const what = `tensor ${quote(name)}`;
    const fault: Fault = (text) => fail('checkpoint', who, `${what} ${text}`);
    const convertPiece = convert(tensor.dtype, fault);
    const bad = layoutFault(tensor);
    if (bad !== undefined) throw fault(bad);
    const width = WIDTHS.get(tensor.dtype) ?? 0;
    return withFile(path, who, WHAT, fileBytes, async (file) => {
      const elements = tensor.sizes.includes(0) ? 0 : tensor.sizes.reduce((product, size) => product * size, 1);
      const values = allocate(make, elements, who, what);
      if (elements === 0) return values;
      const start = await dataStart(file, tensor.entry, who);
      const readAt = async (element: number, into: T): Promise<void> =>
        readValues(file, start + element * width, width, convertPiece, into, who);
      if (isContiguous(tensor)) await readAt(tensor.offset, values);
      else await gather(tensor, values, makeWindow, readAt);
      return values;
    });
  };

  return {
    path,
    tensors,
    metadata: new Map(),
    read: async (name, into) => load(name, floats(into), (length) => new Float32Array(length), toFloat32),
    readIntegers: async (name) =>
      load(
        name,
        (length) => new Int32Array(length),
        (length) => new Int32Array(length),
        toInt32,
      ),
  };
}

/** The folder inside the zip that holds data.pkl, with its slash. */
function rootOf(entries: ReadonlyMap<string, ZipEntry>, who: string): string {
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw fail(
      'checkpoint',
      who,
      `is a zip file with ${pickles.length} data.pkl, where torch.save writes one; it is something else.`,
    );
  return pickles[0].slice(0, -'data.pkl'.length);
}

/** What the few allowed names stand for. */
function worldOf(root: string, entries: ReadonlyMap<string, ZipEntry>, who: string) {
  const damaged = (what: string): Error => fail('checkpoint', who, `the pickle ${what}; the file is damaged.`);
  const persistent = (id: PickleValue<Made>): PickleValue<Made> => {
    const [kind, type, key, , count] = isKind(id, 'tuple') ? id.items : [];
    if (kind !== 'storage' || !isKind(type, 'global') || typeof key !== 'string' || !isSize(count))
      throw damaged('has a persistent id that is no storage');
    const dtype = dtypeOf(type.name);
    if (dtype === undefined && !UNTYPED.includes(type.name)) throw damaged(`has a storage of type ${quote(type.name)}`);
    const entry = entries.get(`${root}data/${key}`);
    if (entry === undefined) throw damaged(`names the storage ${quote(key)}, which the file does not have`);
    const width = dtype === undefined ? 1 : (WIDTHS.get(dtype) ?? 1);
    if (entry.bytes !== count * width)
      throw damaged(
        `says that storage ${quote(key)} has ${count} elements of ${width} bytes, but it has ${entry.bytes} bytes`,
      );
    return { kind: 'made', value: { what: 'storage', dtype, entry } };
  };
  const tensor = (args: readonly PickleValue<Made>[], typed: boolean): PickleValue<Made> => {
    const [storage, offset, sizes, strides, , , ...rest] = args;
    const [dtype, metadata] = typed
      ? [isKind(rest[0], 'global') ? dtypeOf(rest[0].name) : undefined, rest[1]]
      : [undefined, rest[0]];
    if (!isKind(storage, 'made') || storage.value.what !== 'storage' || !isSize(offset))
      throw damaged('rebuilds a tensor from something that is no storage');
    if (isKind(metadata, 'dict') && metadata.entries.size > 0)
      throw damaged(
        `marks a tensor ${[...metadata.entries.keys()].map((key) => quote(String(key))).join(', ')}, which is not read`,
      );
    const type = dtype ?? storage.value.dtype;
    if (type === undefined) throw damaged('rebuilds a tensor of no known dtype');
    const { entry } = storage.value;
    const shape = sizesOf(sizes);
    const steps = sizesOf(strides);
    if (shape === undefined || steps === undefined || shape.length !== steps.length)
      throw damaged('gives a tensor sizes and strides that are not as many whole numbers');
    const capacity = Math.floor(entry.bytes / (WIDTHS.get(type) ?? 1));
    const last = offset + shape.reduce((sum, size, i) => sum + (size - 1) * steps[i], 0);
    const where = `a tensor of sizes [${shape.slice(0, 8).join()}], strides [${steps.slice(0, 8).join()}] and offset ${offset}`;
    if (!shape.includes(0) && !(last < capacity))
      throw damaged(`has ${where}, which reaches element ${last} of a storage of ${capacity}`);
    return { kind: 'made', value: { what: 'tensor', dtype: type, shape, sizes: shape, strides: steps, offset, entry } };
  };
  const call = (name: string, args: readonly PickleValue<Made>[]): PickleValue<Made> => {
    switch (name) {
      case 'torch._utils._rebuild_tensor_v2':
        return tensor(args, false);
      case 'torch._utils._rebuild_tensor_v3':
        return tensor(args, true);
      case 'torch._utils._rebuild_parameter':
      case 'torch._utils._rebuild_parameter_with_state': // attributes that a script hung on the parameter
        if (!isKind(args[0], 'made') || args[0].value.what !== 'tensor')
          throw damaged('makes a parameter of something that is no tensor');
        return args[0];
      case 'collections.OrderedDict':
        if (args.length > 0) throw damaged('makes an OrderedDict from arguments');
        return { kind: 'dict', entries: new Map() };
      default:
        throw damaged(`calls ${quote(name)}, which is not a function`);
    }
  };
  return { who, allows, call, persistent };
}

/** The tensors of the dictionary, or of the dictionary that it wraps. */
function tensorsOf(value: PickleValue<Made>, who: string): ReadonlyMap<string, TorchTensor> {
  if (!isKind(value, 'dict'))
    throw fail('checkpoint', who, 'holds something that is not a dictionary; save model.state_dict().');
  const wrapped = WRAPPERS.map((key) => value.entries.get(key)).find((inner) => isKind(inner, 'dict'));
  const dictionary = isKind(wrapped, 'dict') ? wrapped : value;
  const tensors = new Map<string, TorchTensor>();
  for (const [name, item] of dictionary.entries) {
    if (typeof name === 'string' && isKind(item, 'made') && item.value.what === 'tensor') tensors.set(name, item.value);
  }
  if (tensors.size > 0) return tensors;
  const keys = [...value.entries.keys()].slice(0, 8).map((key) => quote(String(key)));
  throw fail(
    'checkpoint',
    who,
    `holds a dictionary without tensors (${keys.length === 0 ? 'empty' : keys.join(', ')}); save model.state_dict().`,
  );
}

function isSize(value: PickleValue<Made> | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function sizesOf(value: PickleValue<Made> | undefined): number[] | undefined {
  return isKind(value, 'tuple') && value.items.length <= 32 && value.items.every(isSize)
    ? [...(value.items as number[])]
    : undefined;
}
