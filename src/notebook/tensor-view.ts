/** A tensor: its shape and type, the numbers of a corner, and a small map of its last two axes. */
import * as tf from '@tensorflow/tfjs-core';
import { markup, type Markup } from '../report/markup.ts';
import { largest, numberFormat } from '../report/wording.ts';
import { heatMap } from './heat-map.ts';
import { code, type View } from './view.ts';

/** Rows and columns of the map, and of the numbers. */
const [MAP, CORNER] = [32, 6];

/** Reads no more of the tensor than is shown. */
export async function tensorView(tensor: tf.Tensor): Promise<View> {
  const { shape, dtype } = tensor;
  const name = `Tensor [${shape.join(', ')}] ${dtype}`;
  if (tensor.isDisposed) return textOnly(`${name}, disposed`);
  if (tensor.size === 0 || dtype === 'string' || dtype === 'complex64') return textOnly(name);
  const values = await block(tensor);
  const [rows, columns] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  const corner = values.slice(0, CORNER).map((row) => row.slice(0, CORNER));
  const format = numberFormat(largest(corner.flat().filter(Number.isFinite)), { signed: false });
  const cells = corner.map((row) => row.map((value) => (Number.isInteger(value) ? String(value) : format(value))));
  const width = Math.max(...cells.flat().map((cell) => cell.length));
  const more = { right: columns > CORNER ? '  …' : '', below: rows > CORNER ? ['…'] : [] };
  const lines = [...cells.map((row) => row.map((cell) => cell.padStart(width)).join('  ') + more.right), ...more.below];
  const at =
    shape.length > 2
      ? `[${shape
          .slice(0, -2)
          .map(() => '0')
          .join(', ')}, ..]`
      : '';
  const cut = rows > MAP || columns > MAP ? `the first ${Math.min(rows, MAP)} × ${Math.min(columns, MAP)}` : '';
  const title = [at, cut].filter((part) => part !== '').join(' ');
  return {
    text: [at === '' ? name : `${name}, ${at}`, ...lines].join('\n'),
    figures: tensor.size === 1 ? [] : [heatMap({ title: title === '' ? name : title, values })],
    above: markup`<p><b>${name}</b></p><pre style="margin: 0">${code(lines.join('\n'))}</pre>`,
  };
}

/** The first rows and columns of the last two axes, at index 0 of the others. */
async function block(tensor: tf.Tensor): Promise<number[][]> {
  const matrix = tf.tidy(() => {
    const padded = [...Array<number>(Math.max(0, 2 - tensor.rank)).fill(1), ...tensor.shape];
    const size = padded.map((length, axis) => (axis < padded.length - 2 ? 1 : Math.min(length, MAP)));
    const part = tf.slice(
      tf.reshape(tensor, padded),
      padded.map(() => 0),
      size,
    );
    return tf.cast(tf.reshape(part, size.slice(-2)), 'float32');
  });
  try {
    const values = await matrix.data();
    const [rows, columns] = matrix.shape as [number, number];
    return Array.from({ length: rows }, (_, r) => Array.from(values.slice(r * columns, (r + 1) * columns)));
  } finally {
    matrix.dispose();
  }
}

function textOnly(text: string): View {
  const above: Markup = markup`<p><b>${text}</b></p>`;
  return { text, above };
}
