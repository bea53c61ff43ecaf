/** An inspection as text: labelled lines, then the hook table. A record in, a string out. */
import { relative } from 'node:path';
import { printable } from '../../src/printable.ts';
import type { Inspection, MemoryRow } from './inspection.ts';

const LABEL = 12;

export function inspectionText(inspection: Inspection): string {
  const {
    name,
    config,
    folder,
    files,
    stored,
    unused,
    facts,
    memory,
    cacheBytesPerToken,
    measured,
    tokenizer,
    golden,
    hooks,
  } = inspection;
  const lines: string[] = [];
  const say = (label: string, ...texts: readonly string[]): void =>
    texts.forEach((text, i) => lines.push(`${(i === 0 ? label : '').padEnd(LABEL)}${text}`));
  say('model', `${name} (${config.family}), ${relative(process.cwd(), folder) || '.'}`);
  say(
    'files',
    ...files.map((file) => `${file.name} ${size(file.bytes)}`),
    `${Object.entries(stored)
      .map(([dtype, count]) => `${count} tensors ${dtype}`)
      .join(', ')}; ${unused.length === 0 ? 'all used' : `not used: ${shortened(unused)}`}`,
  );
  say('record', ...facts);
  say(
    'memory',
    ...memory.map(memoryLine),
    `measured on ${measured.backend} (${measured.device}${measured.storage === 'float32' ? '' : `, ${measured.storage}`}): ${size(measured.bytes)} in ${measured.tensors} tensors`,
    `generation keeps ${size(cacheBytesPerToken)} a token and row`,
  );
  if (tokenizer === undefined) say('tokenizer', 'none: the folder has no tokenizer.json, so prompts are token ids');
  else {
    const { kind, vocabSize, eosId, bos, roundTrips } = tokenizer;
    say(
      'tokenizer',
      `${kind}, ${vocabSize} tokens for ${config.dVocab} rows; ${eosId === undefined ? 'no end-of-text token' : `a text ends with id ${eosId}`}`,
      bos.text,
    );
    say(
      'round trips',
      ...roundTrips.map(
        ({ text, tokens, problem }) =>
          `${problem === undefined ? 'same   ' : tokens === undefined ? 'refused' : 'differs'}  ${JSON.stringify(text)}${tokens === undefined ? '' : `, ${tokens} tokens`}${problem === undefined ? '' : `: ${problem}`}`,
      ),
    );
  }
  if (golden === undefined) say('golden', 'none: the folder has no golden.safetensors to compare with');
  else {
    const residuals =
      golden.residuals === undefined ? '' : `, every residual within ${golden.residuals.toExponential(1)}`;
    const verdict =
      golden.tolerance === undefined ? `stored as ${measured.storage}` : golden.agrees ? 'agrees' : 'DIFFERS';
    const allowed =
      golden.tolerance === undefined ? '·max(1, |x|)' : ` (allowed ${golden.tolerance.toExponential(0)}·max(1, |x|))`;
    say(
      'golden',
      `${verdict}: logits within ${golden.logits.toExponential(1)}${residuals}${allowed}, ${golden.rows} rows, ${golden.tokens} tokens`,
      ...(golden.made === undefined ? [] : [`made by ${golden.made}`]),
    );
  }
  const width = (key: 'hook' | 'shape'): number => Math.max(...hooks.map((row) => row[key].length));
  const [hook, shape] = [width('hook'), width('shape')];
  return [
    ...lines,
    '',
    ...hooks.map((row) => `${row.hook.padEnd(hook)}  ${row.shape.padEnd(shape)}  ${row.formula}`),
    '',
  ]
    .map(printable)
    .join('\n');
}

function memoryLine({ backend, bytes, limit, halfBytes }: MemoryRow): string {
  const fits =
    limit === undefined
      ? ''
      : bytes < limit
        ? ` of the ${size(limit)} it can address`
        : `, MORE than the ${size(limit)} it can address`;
  return `${backend.padEnd(LABEL)}${size(bytes)}${fits}${halfBytes === undefined ? '' : `; ${size(halfBytes)} with its matrices in half precision`}`;
}

/** Bytes in decimal units, three digits. */
function size(bytes: number): string {
  const [unit, letter] =
    bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : bytes >= 1e3 ? [1e3, 'kB'] : [1, 'bytes'];
  return `${unit === 1 ? bytes : Number((bytes / unit).toPrecision(3))} ${letter}`;
}

function shortened(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
}
