/**
 * act(x · W + b) + residual by tiles: a workgroup makes a block of the result from blocks of x and W that it copies into its
 * shared memory, and each thread keeps some of the block's values in registers for the whole sum.
 *
 * What makes it quick on a GPU that multiplies faster than it loads: a thread has 64 sums or more, so that it reads 4 vectors
 * for 64 multiply-adds; it reads the next blocks from memory while it multiplies the ones it has; x is turned on its way into
 * shared memory so that both sides are read by fours, and its columns are interleaved (an exclusive or) so that neither
 * writing nor reading meets one bank twice; indices into shared memory are constants but for one number a thread. The idea is
 * that of CUTLASS's SIMT products (NVIDIA). Sums are float32, in the order of the inner dimension.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { pointwiseSource, type Pointwise, type WebgpuBackend } from './program.ts';

/** How a product is cut; all are multiples of 4. */
export interface Tile {
  /** The block of the result that a workgroup makes, and how much of the inner dimension it holds at a time. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** The part of the block that a thread sums. */
  readonly threadRows: number;
  readonly threadColumns: number;
  /** 2: shared memory for the next blocks beside the present ones, and half the barriers. */
  readonly stages: 1 | 2;
}

export const threadsOf = ({ rows, columns, threadRows, threadColumns }: Tile): number =>
  (rows / threadRows) * (columns / threadColumns);

/** Bytes of shared memory of a workgroup. */
export const sharedBytesOf = ({ rows, columns, depth, stages }: Tile): number => 4 * stages * depth * (rows + columns);

export interface Product {
  /** [rows, inner] and [inner, width], both dimensions of W multiples of 4. */
  readonly x: TensorInfo;
  readonly W: TensorInfo;
  /** [width] */
  readonly b: TensorInfo | undefined;
  /** [any, width]; row r of the result takes its row r mod its rows. */
  readonly residual: TensorInfo | undefined;
  readonly activation: Pointwise;
}

/** [rows, width] */
export function tiledProduct(
  backend: WebgpuBackend,
  tile: Tile,
  { x, W, b, residual, activation }: Product,
): TensorInfo {
  const [rows, inner] = x.shape;
  const width = W.shape[1];
  const named = Object.entries({ x, W, b, residual }).flatMap(([name, info]) =>
    info === undefined ? [] : [{ name, info }],
  );
  const parts: Parts = {
    whole: inner % tile.depth === 0,
    bias: b !== undefined,
    residual: residual !== undefined,
    activation,
  };
  return backend.runWebGPUProgram(
    {
      variableNames: named.map(({ name }) => name),
      outputShape: [rows, width],
      workgroupSize: [threadsOf(tile), 1, 1],
      dispatchLayout: { x: [1], y: [0] },
      dispatch: [Math.ceil(width / tile.columns), Math.ceil(rows / tile.rows), 1],
      outputComponent: 4,
      variableComponents: named.map(() => 4),
      shaderKey: `spexlens-product-${Object.values(tile).join('-')}-${Object.values(parts).join('-')}`,
      getUserCode: () => sourceOf(tile, parts),
    },
    named.map(({ info }) => info),
    'float32',
  );
}

interface Parts {
  /** Whether the inner dimension is a multiple of the tile's. */
  readonly whole: boolean;
  readonly bias: boolean;
  readonly residual: boolean;
  readonly activation: Pointwise;
}

const FOUR = [0, 1, 2, 3];
const count = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** The program; everything named in it is in units of four values. Exported so that a bench can compile it by itself. */
export function sourceOf(tile: Tile, { whole, bias, residual, activation }: Parts): string {
  const { stages } = tile;
  const threads = threadsOf(tile);
  const [high, wide, deep] = [tile.rows / 4, tile.columns / 4, tile.depth / 4];
  const [groupsY, groupsX] = [tile.threadRows / 4, tile.threadColumns / 4];
  const [lanesY, lanesX] = [high / groupsY, wide / groupsX];
  const interleave = 8 / deep; // of the 8 vectors that one access to shared memory moves
  const blocks = { x: deep * high, W: deep * wide }; // of 4 x 4 values, each moved by one thread
  const moves = count(Math.ceil((blocks.x + blocks.W) / threads)).map((u) => {
    const [first, last] = [u * threads, Math.min((u + 1) * threads, blocks.x + blocks.W) - 1];
    const kind = last < blocks.x ? 'x' : first >= blocks.x ? 'W' : 'both';
    return { u, kind, all: first + threads <= blocks.x + blocks.W } as const;
  });
  const buffer = (name: string): string => (stages === 2 ? `${name}[stage]` : name);
  const eachMove = (body: (u: number, kind: 'x' | 'W') => string): string =>
    moves
      .map(({ u, kind, all }) => {
        const one =
          kind === 'both' ? `if (fromX${u}) { ${body(u, 'x')} } else { ${body(u, 'W')} }` : `{ ${body(u, kind)} }`;
        return all ? one : `if (id${u} < ${blocks.x + blocks.W}) { ${one} }`;
      })
      .join('\n');

  const prepare = moves
    .map(
      ({ u, kind }) => `
      let id${u} = local + ${u * threads};
      ${kind === 'both' ? `let fromX${u} = id${u} < ${blocks.x};` : ''}
      var deepAt${u} = 0; var slot${u} = 0; var step${u} = 0;
      ${FOUR.map((r) => `var from${u}_${r} = 0; var held${u}_${r} = vec4<f32>(0.0);`).join('\n')}`,
    )
    .join('\n');
  const place = eachMove((u, kind) =>
    kind === 'x'
      ? `
      deepAt${u} = id${u} % ${deep};
      let block = id${u} / ${deep};
      slot${u} = block ^ (deepAt${u} * ${interleave});
      step${u} = ${deep};
      ${FOUR.map((r) => `from${u}_${r} = min(firstRow + 4 * block + ${r}, rows - 1) * inner + deepAt${u};`).join('\n')}`
      : `
      let block = id${u} - ${blocks.x};
      deepAt${u} = block / ${wide};
      slot${u} = block % ${wide};
      step${u} = ${tile.depth} * width;
      ${FOUR.map((r) => `from${u}_${r} = (4 * deepAt${u} + ${r}) * width + min(firstColumn + slot${u}, width - 1);`).join('\n')}`,
  );
  const load = eachMove((u, kind) => {
    const read = FOUR.map((r) => `held${u}_${r} = ${kind}[from${u}_${r}];`).join(' ');
    const next = FOUR.map((r) => `from${u}_${r} += step${u};`).join(' ');
    if (whole) return `${read} ${next}`;
    const none = FOUR.map((r) => `held${u}_${r} = vec4<f32>(0.0);`).join(' ');
    return `if (depth + deepAt${u} < inner) { ${read} ${next} } else { ${none} }`;
  });
  const store = eachMove((u, kind) =>
    FOUR.map((r) =>
      kind === 'x'
        ? `${buffer('xs')}[4 * deepAt${u} + ${r}][slot${u}] = vec4<f32>(${FOUR.map((s) => `held${u}_${s}.${'xyzw'[r]}`).join(', ')});`
        : `${buffer('ws')}[4 * deepAt${u} + ${r}][slot${u}] = held${u}_${r};`,
    ).join('\n'),
  );
  const multiply = count(tile.depth)
    .map((k) => {
      const xs = count(groupsY).map((i) => `let x${i} = ${buffer('xs')}[${k}][row${i} ^ ${(k >> 2) * interleave}];`);
      const ws = count(groupsX).map((j) => `let w${j} = ${buffer('ws')}[${k}][lane.x + ${j * lanesX}];`);
      const sums = count(groupsY).flatMap((i) =>
        FOUR.flatMap((r) =>
          count(groupsX).map(
            (j) => `sum${i}_${r}_${j} = fma(vec4<f32>(x${i}.${'xyzw'[r]}), w${j}, sum${i}_${r}_${j});`,
          ),
        ),
      );
      return `{ ${xs.join(' ')} ${ws.join(' ')}\n${sums.join('\n')} }`;
    })
    .join('\n');
  const write = count(groupsY)
    .flatMap((i) =>
      FOUR.map((r) => {
        const columns = count(groupsX).map(
          (j) => `
        {
          let column = firstColumn + lane.x + ${j * lanesX};
          if (column < width) {
            let value = pointwise(sum${i}_${r}_${j}${bias ? ' + b[column]' : ''});
            result[row * width + column] = value${residual ? ' + residual[rest + column]' : ''};
          }
        }`,
        );
        return `
      {
        let row = firstRow + 4 * row${i} + ${r};
        if (row < rows) {
          ${residual ? 'let rest = (row % uniforms.residualShape.x) * width;' : ''}
          ${columns.join('')}
        }
      }`;
      }),
    )
    .join('\n');
  const array = (length: number): string => {
    const one = `array<array<vec4<f32>, ${length}>, ${tile.depth}>`;
    return stages === 2 ? `array<${one}, 2>` : one;
  };
  const loop =
    stages === 2
      ? `
      ${load}
      ${store}
      workgroupBarrier();
      for (depth = ${deep}; depth < inner + ${deep}; depth += ${deep}) {
        if (depth < inner) { ${load} }
        ${multiply}
        stage = 1 - stage;
        if (depth < inner) { ${store} }
        workgroupBarrier();
      }`
      : `
      ${load}
      for (depth = ${deep}; depth < inner + ${deep}; depth += ${deep}) {
        ${store}
        workgroupBarrier();
        if (depth < inner) { ${load} }
        ${multiply}
        workgroupBarrier();
      }`;
  return `
    ${pointwiseSource(activation, 'vec4<f32>')}
    var<workgroup> xs : ${array(high)};
    var<workgroup> ws : ${array(wide)};

    fn main() {
      let rows = uniforms.outShape.x;
      let width = uniforms.outShape.y / 4;
      let inner = uniforms.xShape.y / 4;
      let local = i32(localIndex);
      let firstRow = i32(workgroupId.y) * ${tile.rows};
      let firstColumn = i32(workgroupId.x) * ${wide};
      // 32 threads that run together make a block of 4 by 8 parts.
      let lane = vec2<i32>((local / 32) % ${lanesX / 8} * 8 + local % 8, (local / 32) / ${lanesX / 8} * 4 + (local % 32) / 8);
      ${count(groupsY)
        .map((i) => `let row${i} = lane.y + ${i * lanesY};`)
        .join('\n')}
      ${prepare}
      ${place}
      ${count(groupsY)
        .flatMap((i) => FOUR.flatMap((r) => count(groupsX).map((j) => `var sum${i}_${r}_${j} = vec4<f32>(0.0);`)))
        .join('\n')}
      var depth = 0;
      ${stages === 2 ? 'var stage = 0;' : ''}
      ${loop}
      ${write}
    }`;
}
