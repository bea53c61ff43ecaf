/**
 * Layer norm and RMS norm in one dispatch: a workgroup takes a row, keeps it in registers and sums it twice, for the mean
 * and then for the squares of what deviates from it, which does not cancel in a row far from zero.
 */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf, viewed, type WebgpuBackend } from './program.ts';

/** x [..., width], w? and b? [width] -> the shape of x. */
export const normKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const { x, w, b } = inputs as { x: TensorInfo; w?: TensorInfo; b?: TensorInfo };
  const { kind, eps, offset } = attrs as unknown as { kind: 'layer' | 'rms'; eps: number; offset: number };
  const width = x.shape[x.shape.length - 1];
  const rows = sizeOf(x.shape.slice(0, -1));
  const threads = width <= 256 ? 64 : width <= 1024 ? 128 : 256;
  const vectors = Object.entries({ w, b }).flatMap(([name, info]) => (info === undefined ? [] : [{ name, info }]));
  const names = vectors.map(({ name }) => name);
  const out = (backend as unknown as WebgpuBackend).runWebGPUProgram(
    {
      variableNames: ['x', ...names],
      outputShape: [rows, width],
      workgroupSize: [threads, 1, 1],
      dispatchLayout: { x: [0, 1] },
      dispatch: [rows, 1, 1], // the backend folds it where a dimension is too short
      uniforms: 'eps : f32, offset : f32,',
      shaderKey: `spexlens-norm-${kind}-${width}-${names.join('')}`,
      getUserCode: () => sourceOf(kind, width, threads, names),
    },
    [viewed(x, [rows, width]), ...vectors.map(({ info }) => info)],
    'float32',
    [
      { type: 'float32', data: [eps] },
      { type: 'float32', data: [offset] },
    ],
  );
  return viewed(out, x.shape);
};

function sourceOf(kind: 'layer' | 'rms', width: number, threads: number, names: readonly string[]): string {
  const gain = !names.includes('w') ? '' : kind === 'rms' ? ' * (w[c] + uniforms.offset)' : ' * w[c]';
  const shift = names.includes('b') ? ' + b[c]' : '';
  const each = (body: string): string =>
    `for (var j = 0; j < ${Math.ceil(width / threads)}; j++) { let c = local + ${threads} * j; if (c < ${width}) { ${body} } }`;
  return `
    var<workgroup> sums : array<f32, ${threads}>;

    fn together(value : f32, local : i32) -> f32 {
      sums[local] = value;
      workgroupBarrier();
      for (var step = ${threads / 2}; step > 0; step = step / 2) {
        if (local < step) { sums[local] = sums[local] + sums[local + step]; }
        workgroupBarrier();
      }
      let sum = sums[0];
      workgroupBarrier(); // all have read it before it is written again
      return sum;
    }

    fn main(index : i32) {
      let local = i32(localIndex);
      let row = index / ${threads};
      let first = min(row, uniforms.xShape.x - 1) * ${width}; // workgroups past the end, where the dispatch was folded, write nothing
      var held = array<f32, ${Math.ceil(width / threads)}>();
      var sum = 0.0;
      ${each('held[j] = x[first + c]; sum = sum + held[j];')}
      ${kind === 'layer' ? `let mean = together(sum, local) / ${width}.0;` : 'let mean = 0.0;'}
      var squares = 0.0;
      ${each('held[j] = held[j] - mean; squares = squares + held[j] * held[j];')}
      let scale = 1.0 / sqrt(together(squares, local) / ${width}.0 + uniforms.eps);
      if (row < uniforms.xShape.x) {
        ${each(`result[first + c] = held[j] * scale${gain}${shift};`)}
      }
    }`;
}
