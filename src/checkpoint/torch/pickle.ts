/**
 * A pickle as data: Python's stack machine without Python.
 *
 * The opcodes of protocols 2 to 5 that build plain values are carried out; no name in a pickle ever becomes a
 * function. A global stays a name, which the caller allows or refuses; "call it" goes to the caller's own
 * `call`, which knows a handful of names and refuses the rest. Opcodes that could do more (INST, OBJ, NEWOBJ,
 * extensions, out-of-band buffers, the text opcodes of protocol 0) are refused by name. Nothing here recurses,
 * and the number of containers, marks and memo entries is bounded, so nesting and repetition cost no more than
 * the pickle's own length.
 *
 * Format: CPython's Lib/pickletools.py, which documents every opcode.
 */
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';

/** A value of a pickle; `T` is what the caller makes of calls and persistent ids. */
export type PickleValue<T> =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | { readonly kind: 'list'; readonly items: PickleValue<T>[] }
  | { readonly kind: 'tuple'; readonly items: readonly PickleValue<T>[] }
  | { readonly kind: 'dict'; readonly entries: Map<PickleKey, PickleValue<T>> }
  /** `module.name`, a name and nothing else. */
  | { readonly kind: 'global'; readonly name: string }
  | { readonly kind: 'made'; readonly value: T };
export type PickleKey = string | number | bigint | boolean | null;

export interface PickleWorld<T> {
  /** Who is blamed in errors, as in `fail`. */
  readonly who: string;
  /** Whether the pickle may mention `module.name`. */
  readonly allows: (name: string) => boolean;
  /** What `name(...args)` stands for. @throws to refuse it. */
  readonly call: (name: string, args: readonly PickleValue<T>[]) => PickleValue<T>;
  /** What the persistent id stands for. @throws to refuse it. */
  readonly persistent: (id: PickleValue<T>) => PickleValue<T>;
}

/** Lists, tuples, dictionaries and calls; a checkpoint has some six per tensor. */
const CONTAINER_LIMIT = 400_000;
const MARK_LIMIT = 1000;
const STACK_LIMIT = 1_000_000;
/** What a global's module or name may be long. */
const NAME_LIMIT = 200;

/** Names of the opcodes that are refused, for the message. */
// prettier-ignore
const REFUSED: Readonly<Record<number, string>> = {
  0x69: 'INST', 0x6f: 'OBJ', 0x81: 'NEWOBJ', 0x92: 'NEWOBJ_EX', 0x82: 'EXT1', 0x83: 'EXT2', 0x84: 'EXT4', 0x50: 'PERSID',
  0x97: 'NEXT_BUFFER', 0x98: 'READONLY_BUFFER', 0x46: 'FLOAT', 0x49: 'INT', 0x4c: 'LONG', 0x53: 'STRING', 0x56: 'UNICODE',
  0x64: 'DICT', 0x6c: 'LIST', 0x67: 'GET', 0x70: 'PUT', 0x8f: 'EMPTY_SET', 0x90: 'ADDITEMS', 0x91: 'FROZENSET',
};

/**
 * The value that `bytes` build.
 *
 * @throws 'checkpoint' at the first fault or refusal, with the byte it is at.
 */
export function unpickle<T>(bytes: Uint8Array, world: PickleWorld<T>): PickleValue<T> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = 0;
  let opcodeAt = 0;
  let containers = 0;
  let stack: PickleValue<T>[] = [];
  const outer: PickleValue<T>[][] = []; // the stacks below each mark
  const memo = new Map<number, PickleValue<T>>();

  const fault = (what: string): Error =>
    fail('checkpoint', world.who, `the pickle ${what} at byte ${opcodeAt} of ${bytes.length}.`);
  const take = (count: number): number => {
    if (count > bytes.length - at)
      throw fault(`is cut short: ${count} bytes are announced and ${bytes.length - at} are left`);
    at += count;
    return at - count;
  };
  const u8 = (): number => view.getUint8(take(1));
  const u32 = (): number => view.getUint32(take(4), true);
  const u64 = (): number => {
    const count = view.getBigUint64(take(8), true);
    if (count > BigInt(bytes.length))
      throw fault(`is cut short: ${count} bytes are announced and ${bytes.length - at} are left`);
    return Number(count);
  };
  const slice = (count: number): Uint8Array => {
    const from = take(count);
    return bytes.subarray(from, from + count);
  };
  const string = (count: number): string => {
    const raw = slice(count);
    try {
      return text.decode(raw);
    } catch {
      throw fault('has a string that is not UTF-8');
    }
  };
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0 || end - at > NAME_LIMIT) throw fault(`has a name of more than ${NAME_LIMIT} bytes`);
    const name = string(end - at);
    at++;
    return name;
  };
  const push = (value: PickleValue<T>): void => {
    if (stack.length >= STACK_LIMIT) throw fault(`stacks more than ${STACK_LIMIT} values`);
    stack.push(value);
  };
  const pop = (): PickleValue<T> => {
    const value = stack.pop();
    if (value === undefined) throw fault('takes a value from an empty stack');
    return value;
  };
  const top = (): PickleValue<T> => {
    if (stack.length === 0) throw fault('takes a value from an empty stack');
    return stack[stack.length - 1];
  };
  const popMark = (): PickleValue<T>[] => {
    const below = outer.pop();
    if (below === undefined) throw fault('closes a mark that it did not set');
    const items = stack;
    stack = below;
    return items;
  };
  const count = (): void => {
    if (++containers > CONTAINER_LIMIT)
      throw fault(`builds more than ${CONTAINER_LIMIT} lists, tuples, dictionaries and tensors`);
  };
  const tuple = (items: readonly PickleValue<T>[]): void => {
    count();
    push({ kind: 'tuple', items });
  };
  const popTuple = (size: number): void => {
    if (stack.length < size) throw fault('takes a value from an empty stack');
    tuple(stack.splice(stack.length - size));
  };
  const append = (items: readonly PickleValue<T>[]): void => {
    const list = top();
    if (!isKind(list, 'list')) throw fault('appends to something that is not a list');
    for (const item of items) list.items.push(item);
  };
  const set = (items: readonly PickleValue<T>[]): void => {
    const dict = top();
    if (!isKind(dict, 'dict')) throw fault('sets an item of something that is not a dictionary');
    if (items.length % 2 !== 0) throw fault('sets a key without a value');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key === 'object' && key !== null) throw fault('has a dictionary key that is not a plain value');
      dict.entries.set(key, items[i + 1]);
    }
  };
  const global = (module: PickleValue<T>, name: PickleValue<T>): void => {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw fault('names a global by something that is not a string');
    const full = `${module}.${name}`;
    if (!world.allows(full)) {
      throw fault(
        `asks for ${quote(full)}, which is refused (a pickle can run any program; only plain dictionaries of tensors are read)`,
      );
    }
    push({ kind: 'global', name: full });
  };
  const remember = (index: number): void => {
    if (memo.size >= CONTAINER_LIMIT && !memo.has(index)) throw fault(`remembers more than ${CONTAINER_LIMIT} values`);
    memo.set(index, top());
  };
  const recall = (index: number): void => {
    const value = memo.get(index);
    if (value === undefined) throw fault(`recalls value ${index}, which it never stored,`);
    push(value);
  };
  const long = (raw: Uint8Array): void => {
    if (raw.length > 8) throw fault(`has an integer of ${raw.length} bytes, above 8,`);
    let value = 0n;
    for (let i = raw.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(raw[i]);
    value = BigInt.asIntN(8 * raw.length, value);
    push(Number.isSafeInteger(Number(value)) ? Number(value) : value);
  };

  for (;;) {
    opcodeAt = at;
    if (at >= bytes.length) throw fault('ends without STOP');
    const opcode = bytes[at++];
    switch (opcode) {
      case 0x80: {
        // PROTO
        const protocol = u8();
        if (protocol < 2 || protocol > 5) throw fault(`is of protocol ${protocol}; 2 to 5 are read; it stands`);
        break;
      }
      case 0x95: // FRAME: its length only helps readers that stream
        take(8);
        break;
      case 0x2e: {
        // STOP
        const value = pop();
        if (stack.length > 0 || outer.length > 0) throw fault('stops with values left over');
        return value;
      }
      case 0x28: // MARK
        if (outer.length >= MARK_LIMIT) throw fault(`nests deeper than ${MARK_LIMIT}`);
        outer.push(stack);
        stack = [];
        break;
      case 0x30: // POP, which may take a mark
        if (stack.length > 0) stack.pop();
        else popMark();
        break;
      case 0x31: // POP_MARK
        popMark();
        break;
      case 0x32: // DUP
        push(top());
        break;
      case 0x4e:
        push(null);
        break; // NONE
      case 0x88:
        push(true);
        break; // NEWTRUE
      case 0x89:
        push(false);
        break; // NEWFALSE
      case 0x4a:
        push(view.getInt32(take(4), true));
        break; // BININT
      case 0x4b:
        push(u8());
        break; // BININT1
      case 0x4d:
        push(view.getUint16(take(2), true));
        break; // BININT2
      case 0x8a:
        long(slice(u8()));
        break; // LONG1
      case 0x8b:
        long(slice(u32()));
        break; // LONG4
      case 0x47:
        push(view.getFloat64(take(8), false));
        break; // BINFLOAT, big-endian
      case 0x58:
        push(string(u32()));
        break; // BINUNICODE
      case 0x8c:
        push(string(u8()));
        break; // SHORT_BINUNICODE
      case 0x8d:
        push(string(u64()));
        break; // BINUNICODE8
      case 0x54:
        push(string(u32()));
        break; // BINSTRING (Python 2)
      case 0x55:
        push(string(u8()));
        break; // SHORT_BINSTRING
      case 0x42:
        push(slice(u32()));
        break; // BINBYTES
      case 0x43:
        push(slice(u8()));
        break; // SHORT_BINBYTES
      case 0x8e:
        push(slice(u64()));
        break; // BINBYTES8
      case 0x96:
        push(slice(u64()));
        break; // BYTEARRAY8
      case 0x5d:
        count();
        push({ kind: 'list', items: [] });
        break; // EMPTY_LIST
      case 0x61: {
        const item = pop();
        append([item]);
        break;
      } // APPEND
      case 0x65:
        append(popMark());
        break; // APPENDS
      case 0x29:
        tuple([]);
        break; // EMPTY_TUPLE
      case 0x85:
        popTuple(1);
        break; // TUPLE1
      case 0x86:
        popTuple(2);
        break; // TUPLE2
      case 0x87:
        popTuple(3);
        break; // TUPLE3
      case 0x74:
        tuple(popMark());
        break; // TUPLE
      case 0x7d:
        count();
        push({ kind: 'dict', entries: new Map() });
        break; // EMPTY_DICT
      case 0x73: {
        const value = pop();
        const key = pop();
        set([key, value]);
        break;
      } // SETITEM
      case 0x75:
        set(popMark());
        break; // SETITEMS
      case 0x68:
        recall(u8());
        break; // BINGET
      case 0x6a:
        recall(u32());
        break; // LONG_BINGET
      case 0x71:
        remember(u8());
        break; // BINPUT
      case 0x72:
        remember(u32());
        break; // LONG_BINPUT
      case 0x94:
        remember(memo.size);
        break; // MEMOIZE
      case 0x63:
        global(line(), line());
        break; // GLOBAL
      case 0x93: {
        const name = pop();
        global(pop(), name);
        break;
      } // STACK_GLOBAL
      case 0x52: {
        // REDUCE
        const args = pop();
        const callee = pop();
        if (!isKind(callee, 'global') || !isKind(args, 'tuple'))
          throw fault('calls something that is not a name with arguments');
        count();
        push(world.call(callee.name, args.items));
        break;
      }
      case 0x62: // BUILD: the state of a dictionary (a state_dict's _metadata) says nothing about tensors
        pop();
        if (!isKind(top(), 'dict')) throw fault('sets the state of something that is not a dictionary');
        break;
      case 0x51:
        count();
        push(world.persistent(pop()));
        break; // BINPERSID
      default:
        throw fault(`has the opcode ${REFUSED[opcode] ?? `0x${opcode.toString(16)}`}, which is refused,`);
    }
  }
}

/** Whether `value` is of this kind, for values that are records. */
export function isKind<T, K extends 'list' | 'tuple' | 'dict' | 'global' | 'made'>(
  value: PickleValue<T> | undefined,
  kind: K,
): value is Extract<PickleValue<T>, { readonly kind: K }> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && value.kind === kind;
}
