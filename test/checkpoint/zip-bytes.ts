/** Zip files made by hand for tests, right ones and ones that no torch.save writes. */

export interface ZipRecord {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** The size that the directory states, when it lies. */
  readonly claims?: number;
  /** Where the directory says the local header is, when it lies. */
  readonly headerAt?: number;
  /** The name in the local header, when it differs. */
  readonly localName?: string;
}

export function zipOf(records: readonly ZipRecord[], { zip64 = false, comment = '' } = {}): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const {
    name,
    bytes,
    method = 0,
    flags = 0,
    claims = bytes.length,
    headerAt = at,
    localName = name,
  } of records) {
    const local = Buffer.alloc(30 + Buffer.byteLength(localName));
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(local.length - 30, 26);
    local.write(localName, 30);
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    const entry = Buffer.alloc(46 + Buffer.byteLength(name));
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt16LE(entry.length - 46, 28);
    entry.writeUInt16LE(extra.length, 30);
    entry.write(name, 46);
    for (const [k, [field, value]] of (
      [
        [20, claims],
        [24, claims],
        [42, headerAt],
      ] as const
    ).entries()) {
      entry.writeUInt32LE(zip64 ? 0xffff_ffff : value, field);
      if (zip64) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * k);
    }
    if (zip64) extra.writeUInt16LE(1, 0);
    if (zip64) extra.writeUInt16LE(24, 2);
    parts.push(local, Buffer.from(bytes));
    directory.push(entry, extra);
    at += local.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22 + Buffer.byteLength(comment, 'latin1'));
  end.writeUInt32LE(0x06054b50, 0);
  for (const field of [8, 10]) end.writeUInt16LE(zip64 ? 0xffff : records.length, field);
  end.writeUInt32LE(zip64 ? 0xffff_ffff : size, 12);
  end.writeUInt32LE(zip64 ? 0xffff_ffff : at, 16);
  end.writeUInt16LE(end.length - 22, 20);
  end.write(comment, 22, 'latin1');
  const wide = Buffer.alloc(zip64 ? 76 : 0);
  if (zip64) {
    wide.writeUInt32LE(0x06064b50, 0);
    wide.writeBigUInt64LE(44n, 4);
    for (const field of [24, 32]) wide.writeBigUInt64LE(BigInt(records.length), field);
    wide.writeBigUInt64LE(BigInt(size), 40);
    wide.writeBigUInt64LE(BigInt(at), 48);
    wide.writeUInt32LE(0x07064b50, 56);
    wide.writeBigUInt64LE(BigInt(at + size), 64);
    wide.writeUInt32LE(1, 72);
  }
  return Buffer.concat([...parts, ...directory, wide, end]);
}

/** The entries of a zip file that torch.save wrote. */
export function readZip(file: Buffer): ZipRecord[] {
  const end = file.length - 22;
  const records: ZipRecord[] = [];
  let at = file.readUInt32LE(end + 16);
  for (let i = 0; i < file.readUInt16LE(end + 10); i++) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => file.readUInt16LE(at + field));
    const local = file.readUInt32LE(at + 42);
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    records.push({
      name: file.toString('utf8', at + 46, at + 46 + nameBytes),
      bytes: file.subarray(start, start + file.readUInt32LE(at + 24)),
    });
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return records;
}

interface TensorLayout {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  /** The storage it names; default "0", the one that is there. */
  readonly storage?: string;
  /** The elements it says its storage has. */
  readonly count?: number;
}

/** A file as torch.save writes it, of float32 tensors over one storage. */
export function torchFile(tensors: Readonly<Record<string, TensorLayout>>, data: Float32Array): Uint8Array {
  const bytes: Buffer[] = [];
  const add = (text: string): void => void bytes.push(Buffer.from(text, 'latin1'));
  const string = (text: string): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(text));
    bytes.push(Buffer.from('X'), length, Buffer.from(text));
  };
  const integer = (value: number): void => {
    const long = Buffer.alloc(10);
    long[0] = 0x8a; // LONG1
    long[1] = 8;
    long.writeBigInt64LE(BigInt(value), 2);
    bytes.push(long);
  };
  const integers = (values: readonly number[]): void => {
    add('(');
    values.forEach(integer);
    add('t');
  };
  add('\x80\x02}(');
  for (const [name, { sizes, strides, offset, storage = '0', count = data.length }] of Object.entries(tensors)) {
    string(name);
    add('ctorch._utils\n_rebuild_tensor_v2\n((');
    string('storage');
    add('ctorch\nFloatStorage\n');
    string(storage);
    string('cpu');
    integer(count);
    add('tQ');
    integer(offset);
    integers(sizes);
    integers(strides);
    add('\x89ccollections\nOrderedDict\n)RtR');
  }
  add('u.');
  return zipOf([
    { name: 'a/data.pkl', bytes: Buffer.concat(bytes) },
    { name: 'a/data/0', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
  ]);
}
