/**
 * act(x · W + b) + residual in one dispatch: by tiles of our own (tiled-product.ts) where one fits (tiles.ts), else by the
 * backend's own product, chosen by shape and device, with what follows the sum written into its epilogue.
 *
 * tfjs-backend-webgpu 4.22 can add a bias and apply a few activations where a product leaves its registers, none of GPT's
 * and no residual. Its fused kernel is run here on the backend behind a thin front which, when the program with the
 * epilogue comes by, puts ours in the place of its activation. SplitK products take their epilogue in a program of its own, as
 * with any activation of the backend.
 */
import { _FusedMatMul, getKernel, type KernelFunc, type TensorInfo } from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import {
  floatType,
  pointwiseSource,
  sizeOf,
  viewed,
  type Pointwise,
  type WebgpuBackend,
  type WebgpuProgram,
} from './program.ts';
import { tiledProduct } from './tiled-product.ts';
import { tileFor } from './tiles.ts';

/** Where the backend's programs apply their activation. */
const SEAM = 'value = activation(value, coords);';

/** x [..., a], W [a, c], b? [c], residual? [..., c] (row r takes its row r mod its rows) -> [..., c]. */
export const linearKernel: KernelFunc = linearKernelBy(tileFor);

/** The kernel with another choice of tiles, as a bench has it. */
export function linearKernelBy(choose: typeof tileFor): KernelFunc {
  return ({ inputs, backend, attrs }) => {
    const { x, W, b, residual } = inputs as { x: TensorInfo; W: TensorInfo; b?: TensorInfo; residual?: TensorInfo };
    const activation = attrs?.['activation'] as Pointwise;
    const [inner, width] = W.shape;
    const a = viewed(x, [sizeOf(x.shape) / inner, inner]);
    const rest = residual === undefined ? undefined : viewed(residual, [sizeOf(residual.shape) / width, width]);
    const tile = choose(a.shape[0], inner, width, sharedBytesOn(backend as unknown as WebgpuBackend));
    const product =
      tile === undefined
        ? backendProduct(backend as unknown as WebgpuBackend, a, W, b, rest, activation)
        : tiledProduct(backend as unknown as WebgpuBackend, tile, { x: a, W, b, residual: rest, activation });
    return viewed(product, [...x.shape.slice(0, -1), width]);
  };
}

const sharedBytesOn = ({ device }: WebgpuBackend): number => device.limits.maxComputeWorkgroupStorageSize;

function backendProduct(
  backend: WebgpuBackend,
  a: TensorInfo,
  W: TensorInfo,
  bias: TensorInfo | undefined,
  residual: TensorInfo | undefined,
  activation: Pointwise,
): TensorInfo {
  const plain = activation === 'none' && residual === undefined;
  return getKernel(_FusedMatMul, 'webgpu').kernelFunc({
    inputs: { a, b: W, ...(bias === undefined ? {} : { bias }) },
    backend: plain ? backend : withEpilogue(backend, activation, residual),
    // 'linear' gives the program the seam and changes nothing; without an activation there is none.
    attrs: { transposeA: false, transposeB: false, activation: plain ? null : 'linear' } as never,
  }) as TensorInfo;
}

/** `backend`, but a program that applies an activation applies ours, and then adds the residual. */
function withEpilogue(backend: WebgpuBackend, activation: Pointwise, residual: TensorInfo | undefined): object {
  const run: WebgpuBackend['runWebGPUProgram'] = (program, inputs, dtype, uniforms, output) => {
    if (!('activation' in program)) return backend.runWebGPUProgram(program, inputs, dtype, uniforms, output);
    extend(program, activation, residual !== undefined);
    return backend.runWebGPUProgram(
      program,
      residual === undefined ? inputs : [...inputs, residual],
      dtype,
      uniforms,
      output,
    );
  };
  return new Proxy(backend, {
    get(target, key) {
      if (key === 'runWebGPUProgram') return run;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value; // so that its state stays its own
    },
  });
}

function extend(program: WebgpuProgram, activation: Pointwise, residual: boolean): void {
  const written = program.getUserCode.bind(program);
  program.shaderKey += `-spexlens-${activation}`;
  if (residual) program.variableNames = [...program.variableNames, 'residual'];
  program.getUserCode = () => {
    const parts = written().split(SEAM);
    if (parts.length !== 2)
      throw fail(
        'backend',
        'webgpu',
        `its ${program.constructor.name} applies an activation ${parts.length - 1} times, not once; tfjs-backend-webgpu 4.22 is needed.`,
      );
    const component = program.outputComponent ?? 1;
    const type = floatType(component);
    const rest = `residual[((coords.y % uniforms.residualShape.x) * uniforms.residualShape.y + coords.z) / ${component}]`;
    return `
      ${pointwiseSource(activation, type)}
      fn epilogue(sum : ${type}, coords : vec3<i32>) -> ${type} { return pointwise(sum)${residual ? ` + ${rest}` : ''}; }
      ${parts.join('value = epilogue(value, coords);')}`;
  };
}
