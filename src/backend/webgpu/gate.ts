/** act(gate) · up in one dispatch. */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import {
  componentOf,
  floatType,
  pointwiseSource,
  sizeOf,
  viewed,
  type Pointwise,
  type WebgpuBackend,
} from './program.ts';

const WORKGROUP = 64;

/** gate and up of one shape -> that shape. */
export const gateKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const { gate, up } = inputs as { gate: TensorInfo; up: TensorInfo };
  const activation = attrs?.['activation'] as Pointwise;
  const size = sizeOf(gate.shape);
  const component = componentOf(size);
  const out = (backend as unknown as WebgpuBackend).runWebGPUProgram(
    {
      variableNames: ['gate', 'up'],
      outputShape: [size],
      workgroupSize: [WORKGROUP, 1, 1],
      dispatchLayout: { x: [0] },
      dispatch: [Math.ceil(size / component / WORKGROUP), 1, 1], // the backend folds it where a dimension is too short
      outputComponent: component,
      size: true,
      shaderKey: `spexlens-gate-${activation}-${component}`,
      getUserCode: () => `
        ${pointwiseSource(activation, floatType(component))}
        fn main(index : i32) {
          if (index < uniforms.size) { setOutputAtIndex(index, pointwise(gate[index]) * up[index]); }
        }`,
    },
    [viewed(gate, [size]), viewed(up, [size])],
    'float32',
  );
  return viewed(out, gate.shape);
};
