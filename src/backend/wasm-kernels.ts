/**
 * Kernels of ours for TensorFlow.js's wasm backend: a product with what follows it, norms, attention, gates.
 *
 * They are registered under the names that the forward pass asks for, with the inputs that it gives (model/fused.ts), and
 * work in the backend's own memory: nothing is copied. The backend's memory is private API of tfjs-backend-wasm 4.22; where it
 * is not as expected, nothing is registered and the reason is returned.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { outOfMemory } from './wasm-memory.ts';
import { instantiate, tensorBuild, type Build, type TensorModule } from './wasm-module.ts';

/** The parts of tfjs-backend-wasm 4.22 that are used. */
interface WasmBackend {
  readonly wasm: {
    readonly asm: { readonly memory: WebAssembly.Memory };
    readonly _malloc: (bytes: number) => number;
    readonly _free: (at: number) => void;
  };
  readonly dataIdMap: { readonly get: (dataId: object) => { readonly memoryOffset: number } };
  readonly makeOutput: (shape: readonly number[], dtype: 'float32') => tf.TensorInfo;
  readonly disposeData: (dataId: object) => boolean;
}

/** An instance over one backend's memory, and the scratch that it has there. */
interface Bench {
  readonly run: TensorModule;
  /** The address of at least so many bytes. */
  readonly scratch: (bytes: number) => number;
}

type Inputs = Readonly<Record<string, tf.TensorInfo | undefined>>;
type Attributes = Readonly<Record<string, unknown>>;
type Kernel = (tensors: Tensors, inputs: Inputs, attributes: Attributes) => tf.TensorInfo;

/** Activations by number, as wasm/tensors/functions.ts has them. */
const ACTIVATIONS: readonly unknown[] = ['none', 'relu', 'silu', 'gelu', 'gelu_new'];

const MOST_BYTES = 2 ** 32 - 65_536;

/** Registers the kernels on the current backend, which is wasm. Returns the build they are of, or why there are none. */
export function registerWasmKernels(
  wanted: 'auto' | 'simd',
  build: Build | string = tensorBuild(wanted),
): Build | string {
  unregisterWasmKernels();
  if (typeof build === 'string') return build;
  const backend = tf.backend() as unknown as Partial<WasmBackend>;
  if (
    !(backend.wasm?.asm?.memory instanceof WebAssembly.Memory) ||
    typeof backend.wasm._malloc !== 'function' ||
    typeof backend.makeOutput !== 'function'
  ) {
    return 'this version of @tensorflow/tfjs-backend-wasm keeps its memory elsewhere';
  }
  const benches = new WeakMap<object, Bench>();
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    tf.registerKernel({
      kernelName,
      backendName: 'wasm',
      kernelFunc: ({ inputs, backend: on, attrs }) => {
        const host = on as WasmBackend;
        let bench = benches.get(host.wasm);
        if (bench === undefined) benches.set(host.wasm, (bench = createBench(host, build)));
        return kernel(tensorsOf(host, bench, kernelName), inputs, attrs ?? {});
      },
    });
  }
  return build;
}

/** Leaves the wasm backend with TensorFlow.js's kernels only. */
export function unregisterWasmKernels(): void {
  for (const name of Object.keys(KERNELS)) if (tf.getKernel(name, 'wasm') != null) tf.unregisterKernel(name, 'wasm');
}

function createBench({ wasm }: WasmBackend, { module }: Build): Bench {
  let [at, size] = [0, 0];
  return {
    run: instantiate(module, wasm.asm.memory),
    scratch: (bytes) => {
      if (bytes <= size) return at;
      if (at !== 0) wasm._free(at);
      at = wasm._malloc(bytes) >>> 0;
      size = at === 0 ? 0 : bytes;
      if (at === 0) throw outOfMemory(bytes);
      return at;
    },
  };
}

/** What a kernel does with tensors. */
interface Tensors {
  readonly run: TensorModule;
  readonly scratch: (bytes: number) => number;
  /** A fresh tensor; addresses asked for before it stay right, but typed arrays over the memory do not. */
  readonly output: (shape: readonly number[]) => tf.TensorInfo;
  /** The address of a tensor's numbers, 0 for no tensor. */
  readonly at: (tensor: tf.TensorInfo | undefined) => number;
  /** @throws 'input' unless the tensor is float32 and, where `size` is given, has so many numbers. */
  readonly expect: (name: string, tensor: tf.TensorInfo | undefined, size?: number) => tf.TensorInfo;
}

function tensorsOf(backend: WasmBackend, { run, scratch }: Bench, who: string): Tensors {
  const at = (tensor: tf.TensorInfo | undefined): number =>
    tensor === undefined ? 0 : backend.dataIdMap.get(tensor.dataId).memoryOffset;
  return {
    run,
    scratch,
    at,
    output: (shape) => {
      const size = tf.util.sizeFromShape([...shape]);
      if (4 * size > MOST_BYTES) throw outOfMemory(4 * size); // the allocator takes sizes modulo 4 GiB
      const out = backend.makeOutput(shape, 'float32');
      if (size > 0 && at(out) === 0) {
        backend.disposeData(out.dataId);
        throw outOfMemory(4 * size);
      }
      return out;
    },
    expect: (name, tensor, size) => {
      if (tensor?.dtype !== 'float32')
        throw fail(
          'input',
          who,
          `${name} is ${tensor === undefined ? 'missing' : `of ${tensor.dtype}`}; it has to be a float32 tensor.`,
        );
      const has = tf.util.sizeFromShape(tensor.shape);
      if (size !== undefined && has !== size)
        throw fail(
          'input',
          who,
          `${name} [${tensor.shape.join(', ')}] has ${has} numbers; here it has to have ${size}.`,
        );
      return tensor;
    },
  };
}

function activationOf(attributes: Attributes, who: string): number {
  const number = ACTIVATIONS.indexOf(attributes['activation']);
  if (number < 0)
    throw fail(
      'input',
      who,
      `the activation ${JSON.stringify(attributes['activation'])} is unknown; it has to be ${ACTIVATIONS.join(', ')}.`,
    );
  return number;
}

/** @throws 'input' unless live is int32 [batch, heads]. */
function expectLive(live: tf.TensorInfo | undefined, batch: number, heads: number, who: string): tf.TensorInfo {
  if (live?.dtype !== 'int32' || live.shape[0] !== batch || live.shape[1] !== heads) {
    throw fail(
      'input',
      who,
      `live is ${live === undefined ? 'missing' : `${live.dtype} [${live.shape.join(', ')}]`}; int32 [${batch}, ${heads}] is needed.`,
    );
  }
  return live;
}

/** The width of each of `heads` heads. @throws 'input' unless it is a multiple of 8 from 8 to 256. */
function widthOf(columns: number, heads: number, who: string): number {
  const width = columns / heads;
  if (width % 8 !== 0 || width < 8 || width > 256)
    throw fail('input', who, `heads of ${width} numbers; a multiple of 8 from 8 to 256 is needed.`);
  return width;
}

const KERNELS: Readonly<Record<string, Kernel>> = {
  SpexlensLinear: ({ run, scratch, output, at, expect }, inputs, attributes) => {
    const x = expect('x', inputs['x']);
    const inner = x.shape[x.shape.length - 1];
    const columns = inputs['W']?.shape[1] ?? 0;
    const rows = tf.util.sizeFromShape(x.shape.slice(0, -1));
    const W = expect('W', inputs['W'], inner * columns);
    const bias = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], columns);
    const residual = inputs['residual'] === undefined ? undefined : expect('residual', inputs['residual']);
    const residualRows =
      residual === undefined || rows * columns === 0 ? rows : tf.util.sizeFromShape(residual.shape) / columns;
    if (rows > 0 && rows % residualRows !== 0)
      throw fail(
        'input',
        'SpexlensLinear',
        `a residual of ${residualRows} rows goes onto ${rows}; its rows have to divide them.`,
      );
    const activation = activationOf(attributes, 'SpexlensLinear');
    const free = scratch(run.linearScratch());
    const out = output([...x.shape.slice(0, -1), columns]);
    run.linear(at(x), at(W), at(bias), at(residual), residualRows, at(out), rows, inner, columns, activation, free);
    return out;
  },
  SpexlensNorm: ({ run, output, at, expect }, inputs, { kind, eps, offset }) => {
    const x = expect('x', inputs['x']);
    const width = x.shape[x.shape.length - 1];
    const w = inputs['w'] === undefined ? undefined : expect('w', inputs['w'], width);
    const b = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], width);
    const out = output(x.shape);
    run.norm(
      at(x),
      at(w),
      at(b),
      at(out),
      tf.util.sizeFromShape(x.shape.slice(0, -1)),
      width,
      Number(eps),
      Number(offset),
      kind === 'layer',
    );
    return out;
  },
  SpexlensAttention: ({ run, scratch, output, at, expect }, inputs, { scale, softcap }) => {
    const q = expect('q', inputs['q']);
    const [batch, queries, heads, width] = q.shape;
    const [, keys, groups] = expect('k', inputs['k']).shape;
    const k = expect('k', inputs['k'], batch * keys * groups * width);
    const v = expect('v', inputs['v'], batch * keys * groups * width);
    if (heads % groups !== 0)
      throw fail(
        'input',
        'SpexlensAttention',
        `${heads} query heads cannot share ${groups} key heads; these have to divide them.`,
      );
    const maskBatch = inputs['mask']?.shape[0] ?? 1;
    if (maskBatch !== 1 && maskBatch !== batch)
      throw fail(
        'input',
        'SpexlensAttention',
        `a mask of batch ${maskBatch} meets a batch of ${batch}; it has to be 1 or ${batch}.`,
      );
    const mask = inputs['mask'] === undefined ? undefined : expect('mask', inputs['mask'], maskBatch * queries * keys);
    const live =
      inputs['live'] === undefined ? undefined : expectLive(inputs['live'], batch, heads, 'SpexlensAttention');
    const free = scratch(run.attentionScratch(queries, keys, width));
    const out = output(q.shape);
    run.attention(
      at(q),
      at(k),
      at(v),
      at(mask),
      maskBatch,
      at(out),
      batch,
      queries,
      keys,
      heads,
      groups,
      width,
      Number(scale),
      Number(softcap),
      at(live),
      free,
    );
    return out;
  },
  SpexlensToHeads: ({ run, scratch, output, at, expect }, inputs) => {
    const x = expect('x', inputs['x']);
    const [batch, span, inner] = x.shape;
    const heads = inputs['live']?.shape[1] ?? 0;
    const columns = inputs['W']?.shape[1] ?? 0;
    const W = expect('W', inputs['W'], inner * columns);
    const bias = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], columns);
    const live = expectLive(inputs['live'], batch, heads, 'SpexlensToHeads');
    const width = widthOf(columns, heads, 'SpexlensToHeads');
    const free = scratch(run.headsScratch());
    const out = output([batch, span, columns]);
    run.toHeads(at(x), at(W), at(bias), at(live), at(out), batch, span, inner, heads, width, free);
    return out;
  },
  SpexlensFromHeads: ({ run, scratch, output, at, expect }, inputs) => {
    const z = expect('x', inputs['x']);
    const [batch, span, inner] = z.shape;
    const heads = inputs['live']?.shape[1] ?? 0;
    const columns = inputs['W']?.shape[1] ?? 0;
    const W = expect('W', inputs['W'], inner * columns);
    const bias = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], columns);
    const residual = inputs['residual'] === undefined ? undefined : expect('residual', inputs['residual']);
    const residualRows = residual === undefined ? batch * span : tf.util.sizeFromShape(residual.shape) / columns;
    if ((batch * span) % residualRows !== 0)
      throw fail(
        'input',
        'SpexlensFromHeads',
        `a residual of ${residualRows} rows goes onto ${batch * span}; its rows have to divide them.`,
      );
    const live = expectLive(inputs['live'], batch, heads, 'SpexlensFromHeads');
    const width = widthOf(inner, heads, 'SpexlensFromHeads');
    if (columns % 8 !== 0)
      throw fail('input', 'SpexlensFromHeads', `W has ${columns} columns; a multiple of 8 is needed.`);
    const free = scratch(run.headsScratch());
    const out = output([batch, span, columns]);
    run.fromHeads(
      at(z),
      at(W),
      at(bias),
      at(residual),
      residualRows,
      at(live),
      at(out),
      batch,
      span,
      heads,
      width,
      columns,
      free,
    );
    return out;
  },
  SpexlensMaskRows: ({ run, output, at, expect }, inputs) => {
    const x = expect('x', inputs['x']);
    const { parents, factors, base } = inputs;
    const rows = parents?.shape[0] ?? factors?.shape[0] ?? x.shape[0];
    if (parents !== undefined && parents.dtype !== 'int32')
      throw fail('input', 'SpexlensMaskRows', `parents are ${parents.dtype}; int32 is needed.`);
    if (parents === undefined && x.shape[0] !== 1 && x.shape[0] !== rows)
      throw fail('input', 'SpexlensMaskRows', `${x.shape[0]} rows become ${rows}; parents have to say which.`);
    const [, positions, ...rest] = x.shape;
    const [, factorPositions, elements] = factors?.shape ?? [rows, 1, 1];
    const width = tf.util.sizeFromShape(rest) / elements;
    if (!Number.isInteger(width))
      throw fail(
        'input',
        'SpexlensMaskRows',
        `factors for ${elements} elements meet positions of ${tf.util.sizeFromShape(rest)} numbers; these have to divide them.`,
      );
    if (factors !== undefined) expect('factors', factors, rows * factorPositions * elements);
    const basePositions = base?.shape[1] ?? 1;
    if (base !== undefined) expect('base', base, basePositions * elements * width);
    if (![factorPositions, basePositions].every((count) => count === 1 || count === positions))
      throw fail(
        'input',
        'SpexlensMaskRows',
        `factors have ${factorPositions} positions and the base ${basePositions}; 1 or ${positions} are needed.`,
      );
    const out = output([rows, ...x.shape.slice(1)]);
    run.maskRows(
      at(x),
      x.shape[0] === 1,
      at(parents),
      at(factors),
      factorPositions,
      at(base),
      basePositions,
      at(out),
      rows,
      positions,
      elements,
      width,
    );
    return out;
  },
  SpexlensGate: ({ run, output, at, expect }, inputs, attributes) => {
    const gate = expect('gate', inputs['gate']);
    const size = tf.util.sizeFromShape(gate.shape);
    const up = expect('up', inputs['up'], size);
    const activation = activationOf(attributes, 'SpexlensGate');
    const out = output(gate.shape);
    run.pointwise(at(gate), at(out), size, 0, at(up), 0, activation);
    return out;
  },
};
