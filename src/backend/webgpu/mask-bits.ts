/**
 * Parts of activations switched on and off by the bits of masks, row by row, and rows spread over those that continue them,
 * in one dispatch: the masks go to the device as they are, 32 players a word.
 */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { componentOf, floatType, sizeOf, type WebgpuBackend } from './program.ts';

const WORKGROUP = 64;

/** x [n, S, ...], words int32 [rows, w], cells int32 [1 or S, E], parents? int32 [rows], base? [1, 1 or S, ...] -> [rows, S, ...]. */
export const maskBitsKernel: KernelFunc = ({ inputs, backend }) => {
  const { x, words, cells, parents, base } = inputs as {
    x: TensorInfo;
    words: TensorInfo;
    cells: TensorInfo;
    parents?: TensorInfo;
    base?: TensorInfo;
  };
  const rows = words.shape[0];
  const [, length, ...rest] = x.shape;
  const width = sizeOf(rest); // of a position
  const each = width / cells.shape[1]; // of an element
  const component = componentOf(width);
  const outputShape = [rows, length, ...rest];
  const size = sizeOf(outputShape);
  const given = Object.entries({ x, words, cells, parents, base }).flatMap(([name, info]) =>
    info === undefined ? [] : [{ name, info }],
  );
  const whole = each % component === 0; // four values that are read together are of one element
  return (backend as unknown as WebgpuBackend).runWebGPUProgram(
    {
      variableNames: given.map(({ name }) => name),
      outputShape,
      workgroupSize: [WORKGROUP, 1, 1],
      dispatchLayout: { x: outputShape.map((_, axis) => axis) },
      dispatch: [Math.ceil(size / component / WORKGROUP), 1, 1], // the backend folds it where a dimension is too short
      outputComponent: component,
      variableComponents: given.map(({ name }) => (name === 'x' || name === 'base' ? component : 1)),
      size: true,
      uniforms: 'inRows : i32, sequence : i32, width : i32, each : i32, basePositions : i32,',
      shaderKey: `spexlens-mask-bits-${component}-${whole}-${parents !== undefined}-${base !== undefined}`,
      getUserCode: () => `
        fn kept(row : i32, cell : i32) -> bool {
          return cell < 0 || ((words[row * uniforms.wordsShape.y + cell / 32] >> u32(cell % 32)) & 1) == 1;
        }

        fn main(index : i32) {
          if (index >= uniforms.size) { return; }
          let column = (index * ${component}) % uniforms.width;
          let token = (index * ${component}) / uniforms.width; // of all rows
          let row = token / uniforms.sequence;
          let position = token % uniforms.sequence;
          let parent = ${parents === undefined ? 'min(row, uniforms.inRows - 1)' : 'parents[row]'};
          let value = x[((parent * uniforms.sequence + position) * uniforms.width + column) / ${component}];
          let first = (position % uniforms.cellsShape.x) * uniforms.cellsShape.y;
          let other = ${
            base === undefined
              ? `${floatType(component)}(0.0)`
              : `base[((position % uniforms.basePositions) * uniforms.width + column) / ${component}]`
          };
          ${
            whole
              ? 'let on = kept(row, cells[first + column / uniforms.each]);'
              : `let on = vec4<bool>(${[0, 1, 2, 3].map((v) => `kept(row, cells[first + (column + ${v}) / uniforms.each])`).join(', ')});`
          }
          result[index] = select(other, value, on);
        }`,
    },
    given.map(({ info }) => info),
    'float32',
    [x.shape[0], length, width, each, base?.shape[1] ?? 1].map((value) => ({ type: 'int32', data: [value] })),
  );
};
