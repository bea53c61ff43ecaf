/**
 * Attention for many queries: as attention.ts, but a workgroup takes 32 queries and goes over the keys by 32, and a thread has
 * 4 queries by 4 keys of the scores and 4 queries by an eighth of the result in registers.
 *
 * Keys that nobody in the block may see are skipped (half of them, where attention is causal): whether there is one to see is
 * read off the mask, tile by tile, once every query of the block has seen a key. A query that may see none at all never
 * allows a skip and so takes the mean of all, as softmax does.
 */
import { SOFTCAP_SOURCE } from './program.ts';

export const BLOCK = { threads: 64, queries: 32, keys: 32 };
const SIDE = 8;
const FOUR = [0, 1, 2, 3];

const stride = (units: number): number => units + 1; // keeps threads that read one column of different rows off one bank

/** Bytes of shared memory for heads of `units` · 4 values. */
export const blockBytes = (units: number): number =>
  16 * stride(units) * (BLOCK.queries + BLOCK.keys) + 4 * BLOCK.queries * (BLOCK.keys + 1 + SIDE) + 8;

/** The program, for q, k, v read by fours; `units` of them a head. */
export function blockSource(units: number, masked: boolean, capped: boolean): string {
  const columns = Array.from({ length: Math.ceil(units / SIDE) }, (_, c) => c);
  const width = stride(units);
  const each = (body: (i: number) => string): string => FOUR.map(body).join('\n');
  const load = (tile: string, name: string, first: string, length: string, base: string, heads: string): string => `
      for (var i = local; i < ${32 * units}; i = i + ${BLOCK.threads}) {
        let r = i / ${units};
        let u = i % ${units};
        ${tile}[r * ${width} + u] = ${name}[(${base} + min(${first} + r, ${length} - 1) * ${heads}) * ${units} + u];
      }`;
  const scores = FOUR.flatMap((i) => FOUR.map((j) => ({ i, j })));
  return `
    var<workgroup> queryTile : array<vec4<f32>, ${BLOCK.queries * width}>;
    var<workgroup> otherTile : array<vec4<f32>, ${BLOCK.keys * width}>; // keys, then values
    var<workgroup> weights : array<f32, ${BLOCK.queries * (BLOCK.keys + 1)}>;
    var<workgroup> tops : array<f32, ${BLOCK.queries * SIDE}>;
    ${masked ? 'var<workgroup> wanted : atomic<u32>;\n    var<workgroup> needed : u32;' : ''}
    ${capped ? SOFTCAP_SOURCE : ''}

    fn main(index : i32) {
      let queries = uniforms.qShape.y;
      let heads = uniforms.qShape.z;
      let keys = uniforms.kShape.y;
      let keyHeads = uniforms.kShape.z;
      let blocks = (queries + ${BLOCK.queries - 1}) / ${BLOCK.queries};
      let all = uniforms.outShape.x * heads * blocks;
      let workgroup = index / ${BLOCK.threads};
      let at = min(workgroup, all - 1); // workgroups past the end, where the dispatch was folded, write nothing
      let firstQuery = (at % blocks) * ${BLOCK.queries};
      let head = (at / blocks) % heads;
      let batch = at / (blocks * heads);
      let keyHead = head / (heads / keyHeads);
      let qBase = (batch % uniforms.qShape.x) * queries * heads + head;
      let kBase = (batch % uniforms.kShape.x) * keys * keyHeads + keyHead;
      let vBase = (batch % uniforms.vShape.x) * keys * keyHeads + keyHead;
      let local = i32(localIndex);
      let down = local / ${SIDE};
      let across = local % ${SIDE};
      ${each((i) => `let row${i} = down + ${SIDE * i}; let query${i} = firstQuery + row${i};`)}
      ${
        masked
          ? each(
              (i) => `let mask${i} = ((batch % uniforms.maskShape.x) * queries + min(query${i}, queries - 1)) * keys;`,
            )
          : ''
      }
      ${each((i) => `var best${i} = -1e38; var sum${i} = 0.0;`)}
      ${each((i) => columns.map((c) => `var mixed${i}_${c} = vec4<f32>(0.0);`).join(' '))}
      ${load('queryTile', 'q', 'firstQuery', 'queries', 'qBase', 'heads')}

      for (var firstKey = 0; firstKey < keys; firstKey = firstKey + ${BLOCK.keys}) {
        ${scores
          .map(({ i, j }) => {
            const key = `firstKey + across + ${SIDE * j}`;
            const seen = masked ? `mask[mask${i} + min(${key}, keys - 1)]` : '0.0';
            return `let hidden${i}_${j} = select(-1e38, ${seen}, ${key} < keys);`;
          })
          .join('\n')}
        ${
          masked
            ? `
        if (local == 0) { atomicStore(&wanted, 0u); }
        workgroupBarrier();
        let visible = ${scores.map(({ i, j }) => `hidden${i}_${j} > -1e29`).join(' || ')};
        let unseen = ${FOUR.map((i) => `best${i} < -1e29`).join(' || ')};
        if (visible || unseen) { atomicMax(&wanted, 1u); }
        workgroupBarrier();
        if (local == 0) { needed = atomicLoad(&wanted); }
        if (workgroupUniformLoad(&needed) == 0u) { continue; }`
            : ''
        }
        ${load('otherTile', 'k', 'firstKey', 'keys', 'kBase', 'keyHeads')}
        workgroupBarrier();
        ${scores.map(({ i, j }) => `var score${i}_${j} = 0.0;`).join(' ')}
        for (var u = 0; u < ${units}; u++) {
          ${each((i) => `let q${i} = queryTile[row${i} * ${width} + u]; let k${i} = otherTile[(across + ${SIDE * i}) * ${width} + u];`)}
          ${scores.map(({ i, j }) => `score${i}_${j} += dot(q${i}, k${j});`).join('\n')}
        }
        ${scores
          .map(({ i, j }) => {
            const scaled = `uniforms.scale * score${i}_${j}`;
            return `score${i}_${j} = ${capped ? `softcapped(${scaled})` : scaled} + hidden${i}_${j};`;
          })
          .join('\n')}
        ${each((i) => `tops[row${i} * ${SIDE} + across] = max(max(score${i}_0, score${i}_1), max(score${i}_2, score${i}_3));`)}
        workgroupBarrier();
        ${load('otherTile', 'v', 'firstKey', 'keys', 'vBase', 'keyHeads')}
        ${each(
          (i) => `{
          var top = best${i};
          for (var t = 0; t < ${SIDE}; t++) { top = max(top, tops[row${i} * ${SIDE} + t]); }
          let kept = exp(best${i} - top);
          best${i} = top;
          ${FOUR.map((j) => `let weight${j} = exp(score${i}_${j} - top); weights[row${i} * ${BLOCK.keys + 1} + across + ${SIDE * j}] = weight${j};`).join('\n')}
          sum${i} = sum${i} * kept + (weight0 + weight1 + weight2 + weight3);
          ${columns.map((c) => `mixed${i}_${c} *= kept;`).join(' ')}
        }`,
        )}
        workgroupBarrier();
        for (var key = 0; key < ${BLOCK.keys}; key++) {
          ${columns.map((c) => `let v${c} = otherTile[key * ${width} + min(across + ${SIDE * c}, ${units - 1})];`).join(' ')}
          ${each(
            (i) => `{
            let weight = weights[row${i} * ${BLOCK.keys + 1} + key];
            ${columns.map((c) => `mixed${i}_${c} += weight * v${c};`).join(' ')}
          }`,
          )}
        }
        workgroupBarrier();
      }
      ${each((i) => `tops[row${i} * ${SIDE} + across] = sum${i};`)}
      workgroupBarrier();
      ${each(
        (i) => `{
        var total = 0.0;
        for (var t = 0; t < ${SIDE}; t++) { total += tops[row${i} * ${SIDE} + t]; }
        if (workgroup < all && query${i} < queries) {
          let out = ((batch * queries + query${i}) * heads + head) * ${units};
          ${columns
            .map((c) => {
              const column = `across + ${SIDE * c}`;
              const write = `result[out + ${column}] = mixed${i}_${c} / total;`;
              return SIDE * (c + 1) <= units ? write : `if (${column} < ${units}) { ${write} }`;
            })
            .join(' ')}
        }
      }`,
      )}
    }`;
}
