/** How the tables of bench/gradients.ts are written. */
import type { Circuit } from '../../src/circuit/find-circuit.ts';

/** Mean and range of a few numbers. */
export function textOfRange(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return values.length === 1 ? mean.toFixed(3) : `${mean.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}

/** Faithfulness of every proposal at the sizes that were measured, one line a size. */
export function linesOfCircuit(circuit: Circuit, sizes: readonly number[]): string[] {
  const names = Object.keys(circuit.chosen.rivals);
  const percent = (value: number): string => `${(100 * value).toFixed(0)} %`;
  const lines = [`| kept | gradspex | ${names.join(' | ')} | random |`, `|${'---|'.repeat(names.length + 3)}`];
  for (const point of circuit.curve) {
    if (!sizes.includes(point.size)) continue;
    const rivals = names.map((name) => percent(point.rivals[name].kept.faithfulness));
    const random = point.random === null ? '-' : percent(point.random.mean);
    lines.push(`| ${point.size} | ${percent(point.kept.faithfulness)} | ${rivals.join(' | ')} | ${random} |`);
  }
  return lines;
}
