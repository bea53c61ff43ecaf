/** Rotary turns in one dispatch: stock operations cut the head in halves, join them the other way round, multiply twice and add. */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf, type WebgpuBackend } from './program.ts';

const WORKGROUP = 64;

/** x [B, S, H, e], cos and sin [B, S, 1, e], any of batch 1 where others have B -> [B, S, H, e]. */
export const turnKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const { x, cos, sin } = inputs as { x: TensorInfo; cos: TensorInfo; sin: TensorInfo };
  const { dims } = attrs as unknown as { dims: number };
  const [, length, heads, dHead] = x.shape;
  const outputShape = [Math.max(x.shape[0], cos.shape[0]), length, heads, dHead];
  return (backend as unknown as WebgpuBackend).runWebGPUProgram(
    {
      variableNames: ['x', 'cosines', 'sines'],
      outputShape,
      workgroupSize: [WORKGROUP, 1, 1],
      dispatchLayout: { x: [0, 1, 2, 3] },
      dispatch: [Math.ceil(sizeOf(outputShape) / WORKGROUP), 1, 1], // the backend folds it where a dimension is too short
      size: true,
      shaderKey: `spexlens-turn-${dims}`,
      getUserCode: () => `
        fn main(index : i32) {
          if (index < uniforms.size) {
            let c = index % uniforms.outShape.w;
            let token = index / (uniforms.outShape.z * uniforms.outShape.w); // of all rows
            let here = index % (uniforms.xShape.x * uniforms.outShapeStrides.x);
            let table = (token % (uniforms.cosinesShape.x * uniforms.outShape.y)) * uniforms.outShape.w + c;
            let other = select(select(0, ${-dims / 2}, c < ${dims}), ${dims / 2}, c < ${dims / 2}); // from c; beyond dims the sine is 0
            setOutputAtIndex(index, x[here] * cosines[table] + x[here + other] * sines[table]);
          }
        }`,
    },
    [x, cos, sin],
    'float32',
  );
};
