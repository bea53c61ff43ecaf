/** The tables of docs/real-models.md from answered cells. */
import { isCircuit, percent } from '../../src/report/wording.ts';
import type { Result } from '../../src/report/result.ts';
import type { Answered } from './cell.ts';
import { CHAPTER_TASKS, CONTROLS, PARTS } from './cells.ts';
import { REAL_MODELS, type RealModel } from './weights.ts';

/** Interactions named of each run. */
const NAMED = 4;

/** Markdown; cells that are not there are left out, and said to be. */
export function chapter(answered: readonly Answered[], backend: string, missing: readonly string[]): string {
  const of = (model: RealModel['id'], task: string, players: string, on: string): Answered | undefined =>
    answered.find(
      ({ cell }) => cell.model === model && cell.task === task && cell.players === players && cell.backend === on,
    );
  const parts = REAL_MODELS.flatMap(({ id, name }) => {
    const runs = CHAPTER_TASKS.flatMap((task) => PARTS.map((players) => of(id, task, players, backend))).filter(
      (each) => each !== undefined,
    );
    if (runs.length === 0) return [];
    return [`### ${name}\n`, answers(runs), '', together(runs), ''];
  });
  const controls = REAL_MODELS.flatMap(({ id }) =>
    Object.keys(CONTROLS).map((task) => of(id, task, 'heads', backend)),
  ).filter((each) => each !== undefined);
  const costs = REAL_MODELS.flatMap(({ id }) => [backend, 'wasm'].map((on) => of(id, 'ioi', 'heads', on))).filter(
    (each, k, all) => each !== undefined && all.indexOf(each) === k,
  ) as Answered[];
  return [
    ...parts,
    '### Time and memory\n',
    cost(costs),
    '',
    '### What they do not do\n',
    control(controls),
    ...(missing.length === 0
      ? []
      : [
          '',
          `Not measured here: ${missing.length} of ${missing.length + answered.length} cells (${missing.slice(0, 4).join(', ')}${missing.length > 4 ? ', ...' : ''}).`,
        ]),
  ].join('\n');
}

function answers(runs: readonly Answered[]): string {
  const rows = runs.map(({ cell, right, result }) => {
    const { pilot, heldOut, circuit, findings } = result;
    const tried = pilot?.tried.find(({ ablation }) => ablation === pilot.ablation)?.pilot;
    const asked = `${pilot?.ablation} ${tried === undefined ? '' : tried.left.toFixed(2)}`;
    const score = heldOut === undefined ? '' : `${interval(heldOut)} | ${heldOut.firstOrder?.r2.toFixed(3) ?? ''}`;
    const found = circuit !== undefined && isCircuit(circuit) ? circuit : undefined;
    const chosen = found?.chosen;
    const why = findings.map(({ kind }) => kind).join('; ');
    const sizes = found === undefined ? `none (${why})` : `${found.chosen.size} of ${result.players.length}`;
    const random = chosen?.random
      ? `${percent(chosen.random.mean)} [${percent(chosen.random.low)}, ${percent(chosen.random.high)}]`
      : '';
    const share = (value: number | undefined): string => (value === undefined ? '' : percent(value));
    const budget = `${result.masks.budget.toLocaleString('en')} + ${result.masks.heldOut}`;
    return `| ${cell.task} | ${cell.players.replace(',', ' + ')} | ${budget} | ${percent(right ?? 0)} | ${asked} | ${score} | ${result.interactions.length} | ${sizes} | ${found === undefined ? '' : smallest(found)} | ${share(chosen?.kept.faithfulness)} | ${share(chosen?.rivals['first order']?.kept.faithfulness)} | ${share(chosen?.removed.faithfulness)} | ${random} |`;
  });
  return [
    '| task | parts | masks | right | ablation, left | R² on other masks | first order | interactions | circuit for 90 % | for 80 % | kept | first order keeps | left without it | random sets keep |',
    '|---|---|---|---|---|---|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

/** Players of the smallest measured set that keeps 80 %. */
function smallest({ curve }: NonNullable<Result['circuit']>): string {
  return String(curve.find(({ kept }) => kept.faithfulness >= 0.8)?.size ?? '');
}

/** The largest interactions of heads alone, and the circuits' heads, with what their attention shows. */
function together(runs: readonly Answered[]): string {
  const lines = runs.map(({ cell, result, roles }) => {
    const said = (name: string): string =>
      roles[name] === undefined ? name : `${name} (${literal(cell.task, roles[name])})`;
    const largest = result.interactions
      .slice(0, NAMED)
      .map(
        ({ names, value }) => `${names.map(said).join(' × ')} ${value > 0 ? '+' : '−'}${Math.abs(value).toFixed(2)}`,
      );
    const members = result.circuit?.members.map(({ name }) => name).filter((name) => roles[name] !== undefined) ?? [];
    const inside = members.length === 0 ? '' : `; in its circuit ${members.map(said).join(', ')}`;
    const shown = largest.length === 0 ? 'no interactions' : largest.join(', ');
    return `* **${cell.task}**, ${cell.players.replace(',', ' + ')}: ${shown}${result.circuit === undefined ? '' : inside}`;
  });
  return lines.join('\n');
}

/** The paper's own word for a role in a task. */
function literal(task: string, role: string): string {
  if (task !== 'ioi') return role;
  return role.replace('answer mover', 'name mover').replace('inhibition', 'S-inhibition');
}

function cost(runs: readonly Answered[]): string {
  return [
    '| model | backend | load | run | masks | rows/s | peak memory |',
    '|---|---|---|---|---|---|---|',
    ...runs.map(({ cell, loading, seconds, mebibytes, device, result: { masks, name } }) => {
      const on = masks.threads === undefined ? device : `${device.replace('one thread', `${masks.threads} threads`)}`;
      return `| ${name} | ${cell.backend}: ${on} | ${loading.toFixed(1)} s | ${seconds.toFixed(0)} s | ${masks.measured.toLocaleString('en')} | ${masks.rowsPerSecond.toFixed(0)} | ${(mebibytes / 1024).toFixed(1)} GiB |`;
    }),
  ].join('\n');
}

function control(runs: readonly Answered[]): string {
  return [
    '| model | asked | all kept | all ablated | circuit | said |',
    '|---|---|---|---|---|---|',
    ...runs.map(({ cell, result }) => {
      const { findings, circuit } = result;
      const found = circuit !== undefined && isCircuit(circuit) ? 'one' : 'none';
      const text = findings.find(({ kind }) => kind !== 'one prompt')?.text ?? '';
      return `| ${result.name} | ${cell.task} | ${result.clean.toFixed(2)} | ${result.ablated.toFixed(2)} | ${found} | ${/^.*?\.(?= [A-Z]|$)/.exec(text)?.[0] ?? text} |`;
    }),
  ].join('\n');
}

function interval({ r2, low, high }: { readonly r2: number; readonly low: number; readonly high: number }): string {
  return `${r2.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
