/**
 * softmax(cap(scale · q·k) + mask) · v in one dispatch, without transposes and without the scores ever in memory.
 *
 * A workgroup takes a block of queries of one head and goes over the keys in tiles, with a running maximum and sum (the
 * online softmax), so what it holds does not grow with the keys. Each query has a row of threads: in turn they share
 * the scores of a tile by keys, and the result by columns. Where e is a multiple of 4, values are read by fours.
 *
 * The loops around a barrier have bounds that are the same for all: WGSL demands it. Scores start below any hidden one
 * (-1e30) and stay finite; exp of what is hidden is then 0, and a query that sees no key takes the mean of all, as softmax does.
 */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { BLOCK, blockBytes, blockSource } from './attention-blocks.ts';
import { componentOf, floatType, SOFTCAP_SOURCE, type WebgpuBackend } from './program.ts';

const THREADS = BLOCK.threads;
/** From here a block of 32 is filled well enough. */
const LEAST_QUERIES = 24;
/** Bytes of workgroup memory that a program may take; WebGPU grants 16,384, and less leaves room for more workgroups at once. */
const SHARED_BYTES = 10_240;

/** q [B, Sq, H, e], k and v [B, S, K, e], mask? [1 or B, 1, Sq, S] -> [B, Sq, H, e]. q, k or v may have batch 1 where others have B. */
export const attentionKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const { q, k, v, mask } = inputs as { q: TensorInfo; k: TensorInfo; v: TensorInfo; mask?: TensorInfo };
  const { scale, softcap } = attrs as unknown as { scale: number; softcap: number };
  const [, queries, heads, dHead] = q.shape;
  const batch = Math.max(q.shape[0], k.shape[0], v.shape[0]);
  const masked = mask !== undefined;
  const program = programFor(backend as unknown as WebgpuBackend, queries, dHead, masked, softcap !== 0);
  return (backend as unknown as WebgpuBackend).runWebGPUProgram(
    {
      variableNames: masked ? ['q', 'k', 'v', 'mask'] : ['q', 'k', 'v'],
      outputShape: [batch, queries, heads, dHead],
      workgroupSize: [THREADS, 1, 1],
      dispatchLayout: { x: [0, 1, 2, 3] },
      dispatch: [batch * heads * Math.ceil(queries / program.queries), 1, 1], // the backend folds it where a dimension is too short
      outputComponent: program.component,
      variableComponents: [program.component, program.component, program.component, 1],
      uniforms: 'scale : f32, softcap : f32,',
      shaderKey: `spexlens-attention-${dHead}-${program.name}-${masked}-${softcap !== 0}`,
      getUserCode: program.source,
    },
    mask === undefined ? [q, k, v] : [q, k, v, mask],
    'float32',
    [
      { type: 'float32', data: [scale] },
      { type: 'float32', data: [softcap] },
    ],
  );
};

interface Program {
  readonly name: string;
  readonly component: 1 | 4;
  /** Of a workgroup. */
  readonly queries: number;
  readonly source: () => string;
}

/** By blocks where there are queries enough, heads are read by fours and the device shares the memory for it; else by rows. */
function programFor(
  { device }: WebgpuBackend,
  queries: number,
  dHead: number,
  masked: boolean,
  capped: boolean,
): Program {
  if (
    queries >= LEAST_QUERIES &&
    dHead % 4 === 0 &&
    blockBytes(dHead / 4) <= device.limits.maxComputeWorkgroupStorageSize
  )
    return {
      name: 'blocks',
      component: 4,
      queries: BLOCK.queries,
      source: () => blockSource(dHead / 4, masked, capped),
    };
  const tiles = tilesFor(queries, dHead);
  return {
    name: String(tiles.rows),
    component: tiles.component,
    queries: tiles.rows,
    source: () => sourceOf(tiles, masked, capped),
  };
}

interface Tiles {
  readonly component: 1 | 4;
  /** Queries of a workgroup, threads of each, and keys of a tile. */
  readonly rows: number;
  readonly lanes: number;
  readonly keys: number;
  /** Elements of a head (of `component` values), and how many of them are held of queries and keys at a time. */
  readonly units: number;
  readonly chunk: number;
}

/** Few queries (the last layer's is often one) get more threads each. */
function tilesFor(queries: number, dHead: number): Tiles {
  const component = componentOf(dHead);
  const rows = queries === 1 ? 1 : queries <= 4 ? 4 : 16;
  const lanes = THREADS / rows;
  const keys = Math.max(16, lanes);
  const units = dHead / component;
  const most = Math.floor((SHARED_BYTES - 4 * rows * keys) / (4 * component * (rows + keys))) - 1;
  return { component, rows, lanes, keys, units, chunk: Math.ceil(units / Math.ceil(units / most)) };
}

function sourceOf({ component, rows, lanes, keys, units, chunk }: Tiles, masked: boolean, capped: boolean): string {
  const type = floatType(component);
  const stride = chunk + 1; // keeps threads that read the same column of different rows off one memory bank
  const perThread = keys / lanes;
  const columns = Math.ceil(units / lanes);
  const load = (
    tile: string,
    name: string,
    count: number,
    firstRow: string,
    length: string,
    base: string,
    heads: string,
  ): string => `
        for (var i = local; i < ${count * chunk}; i = i + ${THREADS}) {
          let r = i / ${chunk};
          let u = i % ${chunk};
          var value = ${type}(0.0);
          if (${firstRow} + r < ${length} && begin + u < ${units}) { value = ${name}[(${base} + (${firstRow} + r) * ${heads}) * ${units} + begin + u]; }
          ${tile}[r * ${stride} + u] = value;
        }`;
  return `
    var<workgroup> queryTile : array<${type}, ${rows * stride}>;
    var<workgroup> keyTile : array<${type}, ${keys * stride}>;
    var<workgroup> weights : array<f32, ${rows * keys}>;
    ${capped ? SOFTCAP_SOURCE : ''}

    fn main(index : i32) {
      let queries = uniforms.qShape.y;
      let heads = uniforms.qShape.z;
      let keys = uniforms.kShape.y;
      let keyHeads = uniforms.kShape.z;
      let blocks = (queries + ${rows - 1}) / ${rows};
      let all = uniforms.outShape.x * heads * blocks;
      let workgroup = index / ${THREADS};
      let at = min(workgroup, all - 1); // workgroups past the end, where the dispatch was folded, write nothing
      let firstQuery = (at % blocks) * ${rows};
      let head = (at / blocks) % heads;
      let batch = at / (blocks * heads);
      let keyHead = head / (heads / keyHeads);
      let qBase = (batch % uniforms.qShape.x) * queries * heads + head;
      let kBase = (batch % uniforms.kShape.x) * keys * keyHeads + keyHead;
      let vBase = (batch % uniforms.vShape.x) * keys * keyHeads + keyHead;
      let local = i32(localIndex);
      let row = local / ${lanes};
      let lane = local % ${lanes};
      let query = firstQuery + row;
      ${masked ? 'let maskBase = ((batch % uniforms.maskShape.x) * queries + min(query, queries - 1)) * keys;' : ''}

      var best = -1e38;
      var sum = 0.0;
      var mixed = array<${type}, ${columns}>();
      for (var firstKey = 0; firstKey < keys; firstKey = firstKey + ${keys}) {
        var products = array<f32, ${perThread}>(); // said aloud: SwiftShader keeps the last tile's otherwise
        for (var begin = 0; begin < ${units}; begin = begin + ${chunk}) {
          ${load('queryTile', 'q', rows, 'firstQuery', 'queries', 'qBase', 'heads')}
          ${load('keyTile', 'k', keys, 'firstKey', 'keys', 'kBase', 'keyHeads')}
          workgroupBarrier();
          for (var u = 0; u < ${chunk}; u++) {
            let value = queryTile[row * ${stride} + u];
            for (var j = 0; j < ${perThread}; j++) {
              products[j] = products[j] + ${component === 4 ? 'dot(value, ' : '(value * '}keyTile[(lane + ${lanes} * j) * ${stride} + u]);
            }
          }
          workgroupBarrier();
        }
        for (var j = 0; j < ${perThread}; j++) {
          let key = firstKey + lane + ${lanes} * j;
          var score = -1e38;
          if (key < keys) { score = ${capped ? 'softcapped(uniforms.scale * products[j])' : 'uniforms.scale * products[j]'}${masked ? ' + mask[maskBase + key]' : ''}; }
          weights[row * ${keys} + lane + ${lanes} * j] = score;
        }
        workgroupBarrier();
        var top = best;
        for (var i = 0; i < ${keys}; i++) { top = max(top, weights[row * ${keys} + i]); }
        workgroupBarrier();
        for (var j = 0; j < ${perThread}; j++) {
          let i = row * ${keys} + lane + ${lanes} * j;
          weights[i] = exp(weights[i] - top);
        }
        workgroupBarrier();
        let kept = exp(best - top);
        best = top;
        sum = sum * kept;
        for (var j = 0; j < ${columns}; j++) { mixed[j] = mixed[j] * kept; }
        for (var i = 0; i < min(${keys}, keys - firstKey); i++) {
          let weight = weights[row * ${keys} + i];
          sum = sum + weight;
          for (var j = 0; j < ${columns}; j++) {
            let u = lane + ${lanes} * j;
            if (u < ${units}) { mixed[j] = mixed[j] + weight * v[(vBase + (firstKey + i) * keyHeads) * ${units} + u]; }
          }
        }
      }
      if (workgroup < all && query < queries) {
        for (var j = 0; j < ${columns}; j++) {
          let u = lane + ${lanes} * j;
          if (u < ${units}) { result[((batch * queries + query) * heads + head) * ${units} + u] = mixed[j] / sum; }
        }
      }
    }`;
}
