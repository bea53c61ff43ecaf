/**
 * The story of a run in about forty lines of a terminal: what ran, how sure it is, what acts together, the circuit.
 *
 * Pure: a record in, a string out. Colour only adds weight (NO_COLOR and pipes lose nothing); no line is
 * wider than `width` columns, whatever the prompts and names are.
 */
import pc from 'picocolors';
import { terminalText } from '../printable.ts';
import type { Result } from './result.ts';
import { answerText, cutWords, outputLines, textLines, wrapped } from './terminal-text.ts';
import {
  behaviourText,
  columnsOf,
  countOf,
  duration,
  intervalText,
  isAnswer,
  isCircuit,
  isNarrowed,
  keptWith,
  withGradients,
  joinNames,
  largest,
  readsAs,
  shortCount,
  showsCircuit,
  namesOf,
  numberFormat,
  oneLine,
  ordersUpTo,
  percent,
  placesOfEnergy,
  shareFormat,
  shareOf,
  unitSuffix,
  whole,
} from './wording.ts';

export interface TerminalOptions {
  /** Escape sequences for a terminal, default false; the commands ask for them where they write to one, unless NO_COLOR is set. */
  readonly color?: boolean | undefined;
  /** Columns, default 80. */
  readonly width?: number | undefined;
  /** Interactions listed, default 8. */
  readonly interactions?: number | undefined;
}

type Colors = ReturnType<typeof pc.createColors>;

const LABEL = 9;
/** Narrower terminals wrap the lines themselves. */
const NARROWEST = 60;

/** The whole story; ends with a newline. */
export function terminalReport(result: Result, options: TerminalOptions = {}): string {
  const color = options.color ?? false;
  const colors = pc.createColors(color);
  const width = Math.max(NARROWEST, options.width ?? 80);
  const sections = [
    setting(result, colors, width),
    findings(result, colors, width),
    certainty(result, colors, width),
    energy(result, colors, width),
    ...(isAnswer(result)
      ? [
          textLines(result, colors, width),
          outputLines(result, colors, width),
          interactions(result, colors, width, options.interactions ?? 8),
        ]
      : []),
    ...(showsCircuit(result) ? [circuit(result, colors, width)] : []),
    files(result, colors, width),
  ];
  const story = sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return terminalText(`${story.join('\n\n')}\n`.replaceAll('\u00a0', ' '), { color });
}

/** Model, backend, prompt, the metric's two ends, masks and rate. */
function setting(result: Result, colors: Colors, width: number): string[] {
  const { model, backend, task, masks, run } = result;
  const units = unitSuffix(result);
  const format = numberFormat(largest([result.clean, result.ablated]));
  const error = backend?.selfCheckError;
  const check = error === undefined ? '' : `; self-check within ${error.toExponential(0)}`;
  const first = task.prompts[0];
  const answers = [
    first?.correct && `answer ${answerText(first.correct)}`,
    first?.incorrect && `not ${answerText(first.incorrect)}`,
  ]
    .filter(Boolean)
    .join(', ');
  const resumed = masks.resumed > 0 ? ` + ${whole(masks.resumed)} from the log` : '';
  const lines = [
    ...(model === undefined
      ? labelled('game', `${result.name}: ${countOf(result.players.length, task.players)}`, width)
      : labelled(
          'model',
          `${result.name} (${model.family}): ${model.layers} layers x ${model.heads} heads, ${shortCount(model.parameters)} parameters`,
          width,
        )),
    ...(backend === undefined ? [] : labelled('backend', `${backend.name}: ${backend.reason}${check}`, width)),
    ...(backend?.notes ?? []).flatMap((note) => labelled('', note.replace(/\.$/, ''), width)),
  ];
  if (first) {
    const more = task.prompts.length > 1 ? `${whole(task.prompts.length)} prompts, the first: ` : '';
    lines.push(...labelled(task.prompts.length > 1 ? 'prompts' : 'prompt', `${more}${first.text}`, width));
    if (answers) lines.push(...labelled('', answers, width));
  }
  if (result.behaviour !== undefined) lines.push(...labelled('', behaviourText(result.behaviour), width));
  if (result.pilot !== undefined) {
    const { ablation, why, rows } = result.pilot;
    lines.push(
      ...labelled(
        'ablation',
        `${why === 'asked for' ? `${ablation}, asked for` : why} (pilot, ${whole(rows)} rows)`,
        width,
      ),
    );
  }
  const ends = `all kept ${colors.bold(format(result.clean))}   all ablated ${colors.bold(format(result.ablated))}${oneLine(units, 20) && ` ${oneLine(units, 20)}`}`;
  lines.push(`${'metric'.padEnd(LABEL)}${oneLine(task.metric, 20)}   ${ends}`);
  lines.push(
    ...labelled(
      'masks',
      `${whole(result.solver.masks)} fitted${withGradients(result)}, ${whole(masks.heldOut)} held out, ${whole(masks.measured)} in all${resumed}; ${whole(masks.rowsPerSecond)} rows/s${onThreads(masks)}, ${duration(masks.seconds)}; seed ${run.seed}${keptWith(result)}`,
      width,
    ),
  );
  return lines.map((line) => dimLabel(line, colors));
}

/** What the evidence does not carry, where the answer would stand. */
function findings(result: Result, colors: Colors, width: number): string[] {
  return result.findings.flatMap(({ kind, text: said }) => [
    colors.yellow(oneLine(kind, 40)),
    ...paragraph(said, width - 2).map((line) => `  ${line}`),
  ]);
}

/** A text in lines of at most `width` columns. */
function paragraph(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of oneLine(text, Infinity).split(' ')) {
    const next = line === '' ? word : `${line} ${word}`;
    if (columnsOf(next) > width && line !== '') {
      lines.push(line);
      line = oneLine(word, width);
    } else line = oneLine(next, width);
  }
  return line === '' ? lines : [...lines, line];
}

/** ` on 2 threads`, or nothing for one. */
function onThreads({ threads }: Result['masks']): string {
  return threads === undefined ? '' : ` on ${whole(threads)} threads`;
}

/** Held-out R² beside the first-order baseline's. */
function certainty(result: Result, colors: Colors, width: number): string[] {
  const { heldOut, solver } = result;
  if (heldOut === undefined) {
    const all = solver.exact
      ? 'exact: every mask was measured, nothing is estimated'
      : 'no masks were held out, so how sure this is is not known';
    return [heading('how sure', oneLine(all, width - 12), colors)];
  }
  const lines = [
    heading('how sure', `R² on ${whole(heldOut.masks)} masks not fitted, ${percent(heldOut.level)} interval`, colors),
  ];
  const row = (name: string, value: NonNullable<Result['heldOut']>['firstOrder'] & object): string =>
    `  ${oneLine(name, 14).padEnd(16)}${intervalText(value).padEnd(24)}${colors.cyan(bar(value.r2, 1, width - 46))}`;
  lines.push(row(solver.name, heldOut));
  if (heldOut.firstOrder) lines.push(row('first order', heldOut.firstOrder));
  if (result.adaptive === undefined) return lines;
  const { rounds, why } = result.adaptive;
  lines.push(
    ...rounds.map(
      (round) =>
        `  ${whole(round.fitted).padStart(8)} masks ${intervalText(round)}  ${colors.cyan(bar(Math.max(0, round.r2), 1, width - 46))}`,
    ),
  );
  return [...lines, ...labelled('', why, width).map((line) => `  ${line.trim()}`)];
}

function energy(result: Result, colors: Colors, width: number): string[] {
  if (result.energy.total === 0) return [heading('energy', 'none: the metric does not change with the masks', colors)];
  const places = placesOfEnergy(result).map(({ label, share }) => `${label}: ${percent(share)}`);
  const orders = ordersUpTo(result, 4).map(
    ({ label, share }, k) =>
      `${k === 0 ? label : label.replace('order ', '').replace(' and up', '+')}: ${percent(share)}`,
  );
  const { directSubsetRate, staircaseRate } = result.hierarchy;
  const hierarchy = [
    `hierarchy: direct subset rate ${percent(directSubsetRate)}`,
    `staircase rate ${percent(staircaseRate)}`,
  ];
  return [
    heading('energy', 'share of the variance over masks', colors),
    ...[places, orders, hierarchy].flatMap((items) => wrapped(items, width - 2)).map((line) => `  ${line}`),
  ];
}

function interactions(result: Result, colors: Colors, width: number, count: number): string[] {
  const shown = result.interactions.slice(0, count);
  if (shown.length === 0) return [heading('acting together', 'no interactions were found', colors)];
  const format = numberFormat(largest(shown.map(({ value }) => value)), { signed: true });
  const share = shareFormat(shown, result);
  const most = largest(shown.map((entry) => shareOf(entry, result)));
  const wide = Math.max(...shown.map((entry) => share(entry).length));
  const names = shown.map((entry) => oneLine(joinNames(entry.names), Math.max(34, width - 60)));
  const column = Math.max(...names.map(columnsOf));
  const digits = Math.max(...shown.map(({ value }) => format(value).length));
  const bars = Math.max(4, Math.min(40, width - 2 - column - 2 - wide - 2 - digits - 2 - 16 - 1));
  return [
    heading(
      'acting together',
      oneLine(
        `by share of the variance; Banzhaf interaction${result.task.units === '' ? '' : ` in ${oneLine(result.task.units, 20)}`}`,
        width - 17,
      ),
      colors,
    ),
    ...shown.map((entry, k) => {
      const paint = entry.value > 0 ? colors.blue : colors.yellow;
      const padded = names[k] + ' '.repeat(column - columnsOf(names[k]));
      return `  ${colors.bold(padded)}  ${share(entry).padStart(wide)}  ${format(entry.value).padStart(digits)}  ${paint(readsAs(entry).padEnd(16))}${paint(bar(shareOf(entry, result), most, bars))}`;
    }),
  ];
}

function circuit(result: Result, colors: Colors, width: number): string[] {
  const found = result.circuit;
  if (found === undefined || !isCircuit(found)) return [];
  const { players, kept, removed, random } = found.chosen;
  const versus = random
    ? `   ${random.count} random sets ${percent(random.mean)} [${percent(random.low)}, ${percent(random.high)}]`
    : '';
  const names = Object.keys(found.chosen.rivals).map((name) => oneLine(name, 22));
  const wide = names.reduce((most, name) => Math.max(most, name.length + 1), 12);
  return [
    heading(
      'circuit',
      `${whole(players.length)} of ${countOf(result.players.length, result.task.players)} for ${percent(found.target)} of the metric${isNarrowed(found) ? ', by narrowing' : ''}`,
      colors,
    ),
    ...cutWords(
      namesOf(result, players).map((name) => oneLine(name, 24)),
      width - 2,
      3,
    ).map((line) => `  ${colors.bold(line)}`),
    `  ${'kept alone'.padEnd(wide)}${colors.bold(percent(kept.faithfulness).padStart(6))} faithfulness${colors.dim(versus)}`,
    ...Object.values(found.chosen.rivals).map(
      ({ kept: theirs }, k) =>
        `  ${names[k].padEnd(wide)}${percent(theirs.faithfulness).padStart(6)} ${colors.dim('kept by its own set of this size')}`,
    ),
    `  ${'removed'.padEnd(wide)}${colors.bold(percent(removed.faithfulness).padStart(6))} is left without it ${colors.dim('(completeness; 0 % = it carries all)')}`,
  ];
}

function files(result: Result, colors: Colors, width: number): string[] {
  return result.files.map(({ path, what }, k) =>
    dimLabel(`${(k === 0 ? 'written' : '').padEnd(LABEL)}${oneLine(`${path}  ${what}`, width - LABEL)}`, colors),
  );
}

function heading(title: string, rest: string, colors: Colors): string {
  return `${colors.bold(title)}  ${colors.dim(rest)}`;
}

/** A label in a column of nine and a text beside it, on two lines at most. */
function labelled(label: string, text: string, width: number): string[] {
  const room = width - LABEL;
  const flat = oneLine(text, Infinity);
  if (columnsOf(flat) <= room) return [label.padEnd(LABEL) + flat];
  let first = '';
  for (const word of flat.split(' ')) {
    if (columnsOf(`${first}${word}`) > room) break;
    first += `${word} `;
  }
  if (first === '') return [label.padEnd(LABEL) + oneLine(flat, room)];
  return [label.padEnd(LABEL) + first.trimEnd(), ' '.repeat(LABEL) + oneLine(flat.slice(first.length), room)];
}

function dimLabel(line: string, colors: Colors): string {
  return `${colors.dim(line.slice(0, LABEL))}${line.slice(LABEL)}`;
}

/** A bar of `value` out of `most`, at most `columns` wide, in eighths of a column. */
function bar(value: number, most: number, columns: number): string {
  if (!(most > 0) || !(value > 0) || columns < 1) return '';
  const eighths = Math.max(1, Math.round((Math.min(value, most) / most) * columns * 8));
  return '█'.repeat(Math.floor(eighths / 8)) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8];
}
