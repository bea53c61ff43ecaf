/**
 * Ridge regression in the place of training: what a linear model on the trained one's gradients would answer, were it fitted to the kept
 * examples alone.
 *
 * Near a trained model its logits move as J·δ, J their gradients, and a fit of δ to labels Y by squares is kernel regression with the
 * tangent kernel K(a, b) = Σ_c ∇z_c(a)·∇z_c(b) (Jacot, Gabriel, Hongler, NeurIPS 2018): ẑ_S(t) = k_S(t)ᵀ(K_SS + λ)⁻¹Y_S, a system of as
 * many equations as examples are kept. So unlike scores it is no sum over examples: what two of them do together is in it, at every order.
 * K is averaged over seeds.
 */
import { fail } from '../../../errors.ts';
import { isKept, type Masks } from '../../../masks.ts';
import { ownersOf, type ExamplePlayer } from '../example-players.ts';
import { tangentKernel, type KernelOptions } from './tangent-kernel.ts';
import { trainClasses, type Trained } from './trained.ts';

/** Numbers that go with values of masks, and cost no training; what fits them to values is proxy/prior. */
export interface KernelRegression {
  readonly name: string;
  /** By column, a number a mask: at each strength of λ the mean over test examples of right logit less the largest other, and of the right logit. */
  columns(masks: Masks): Float64Array[];
  /** How many those are. */
  readonly width: number;
}

export const KERNEL_REGRESSION = 'kernel regression';

/** λ in shares of the mean of K's diagonal. */
const STRENGTHS = [0.1, 0.3, 1, 3, 10];
/** Examples at most: a mask solves a system of half as many equations for each strength. */
const MOST_EXAMPLES = 1024;

/** @throws 'input' on more examples than it takes. */
export async function kernelRegression(
  trained: Trained,
  players: readonly ExamplePlayer[],
  options: KernelOptions = {},
): Promise<KernelRegression> {
  const { asked } = trained;
  const { architecture, examples, test, labels } = asked;
  const [N, M, C] = [examples.count, test.count, architecture.classes];
  if (N > MOST_EXAMPLES)
    throw fail(
      'input',
      'kernel regression',
      `${N} examples; at most ${MOST_EXAMPLES} are taken, for every mask solves a system of those it keeps.`,
    );
  const owners = ownersOf(players, N);
  const K = await meanKernel(trained, options);
  const width = N + M;
  const classes = await trainClasses(trained);
  let scale = 0;
  for (let n = 0; n < N; n++) scale += K[n * width + n] / N;
  const answer = (kept: readonly number[], strength: number): [number, number] => {
    // Each test example's weights on the kept ones, then its logits.
    const factor = cholesky(kept, K, width, strength * scale);
    let [margin, right] = [0, 0];
    for (let m = 0; m < M; m++) {
      const weights = solved(
        factor,
        Float64Array.from(kept, (n) => K[n * width + N + m]),
      );
      const logits = new Float64Array(C);
      weights.forEach((weight, k) => {
        logits[classes[kept[k]]] += weight;
        for (let c = 0; c < C; c++) logits[c] -= weight / C;
      });
      let other = -Infinity;
      logits.forEach((z, c) => (other = c === labels[m] ? other : Math.max(other, z)));
      margin += (logits[labels[m]] - other) / M;
      right += logits[labels[m]] / M;
    }
    return [margin, right];
  };
  return {
    name: KERNEL_REGRESSION,
    width: 2 * STRENGTHS.length,
    columns(masks) {
      const all = STRENGTHS.flatMap(() => [new Float64Array(masks.count), new Float64Array(masks.count)]);
      for (let row = 0; row < masks.count; row++) {
        const kept = Array.from({ length: N }, (_, n) => n).filter(
          (n) => owners[n] < 0 || isKept(masks, row, owners[n]),
        );
        STRENGTHS.forEach((strength, s) => {
          [all[2 * s][row], all[2 * s + 1][row]] = answer(kept, strength);
        });
      }
      return all;
    },
  };
}

/** The kernel of logits in the mean over seeds, [N + M, N + M] over training and test examples. */
async function meanKernel(trained: Trained, options: KernelOptions): Promise<Float64Array> {
  const { seeds, examples, test } = trained.asked;
  const sum = new Float64Array((examples.count + test.count) ** 2);
  for (let k = 0; k < seeds.length; k++)
    (await tangentKernel(trained, k, 'examples', options)).forEach((x, i) => (sum[i] += x / seeds.length));
  return sum;
}

/** The lower triangle L of K_SS + λ = L·Lᵀ, row by row. */
function cholesky(kept: readonly number[], K: Float64Array, width: number, lambda: number): Float64Array[] {
  const rows: Float64Array[] = [];
  for (let i = 0; i < kept.length; i++) {
    const row = new Float64Array(i + 1);
    for (let j = 0; j <= i; j++) {
      const other = j === i ? row : rows[j];
      let sum = K[kept[i] * width + kept[j]] + (i === j ? lambda : 0);
      for (let k = 0; k < j; k++) sum -= row[k] * other[k];
      row[j] = i === j ? Math.sqrt(Math.max(sum, 1e-12 * lambda)) : sum / other[j];
    }
    rows.push(row);
  }
  return rows;
}

/** (L·Lᵀ)⁻¹b. */
function solved(L: readonly Float64Array[], b: Float64Array): Float64Array {
  const x = b.slice();
  for (let i = 0; i < x.length; i++) {
    for (let k = 0; k < i; k++) x[i] -= L[i][k] * x[k];
    x[i] /= L[i][i];
  }
  for (let i = x.length - 1; i >= 0; i--) {
    x[i] /= L[i][i];
    for (let k = 0; k < i; k++) x[k] -= L[i][k] * x[i];
  }
  return x;
}
