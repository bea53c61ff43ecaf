/**
 * A matrix that is a product of two thin ones, A [m, e] · B [e, n], and stays one: its rank is at most e, so its singular values
 * and eigenvalues come from e x e matrices (TransformerLens's FactoredMatrix).
 */
import { eigenvalues, type Complex } from './eigenvalues.ts';
import { frobenius, multiply, transposed, zeroMatrix, type Matrix } from './matrix.ts';
import { singularValues, type SingularValues } from './singular-values.ts';

/** A · B, kept as its factors. */
export interface FactoredMatrix {
  /** [m, e] */
  readonly A: Matrix;
  /** [e, n] */
  readonly B: Matrix;
  /** The product, [m, n]. */
  AB(): Matrix;
  /** Bᵀ Aᵀ */
  transpose(): FactoredMatrix;
  /** U [m, r], S [r], V [n, r] with r = min(m, e, n): the product is U diag(S) Vᵀ. */
  svd(): SingularValues;
  /** Of the e x e matrix B A, whose eigenvalues that are not 0 are the product's. @throws 'input' unless m = n. */
  eigenvalues(): Complex[];
  /** The Frobenius norm of the product. */
  norm(): number;
}

/** The product of A [m, e] and B [e, n], kept as its factors. */
export function factoredMatrix(A: Matrix, B: Matrix): FactoredMatrix {
  return {
    A,
    B,
    AB: () => multiply(A, B),
    transpose: () => factoredMatrix(transposed(B), transposed(A)),
    svd() {
      // A = Q R, Bᵀ = P T: A B = Q (R Tᵀ) Pᵀ
      const left = orthogonal(A);
      const right = orthogonal(transposed(B));
      const inner = singularValues(multiply(left.R, transposed(right.R)));
      return { U: multiply(left.Q, inner.U), S: inner.S, V: multiply(right.Q, inner.V) };
    },
    eigenvalues: () => eigenvalues(multiply(B, A)),
    norm: () => frobenius(multiply(orthogonal(A).R, transposed(orthogonal(transposed(B)).R))),
  };
}

/** A [m, e] = Q [m, r] R [r, e], Q with orthonormal columns, r = min(m, e): Gram and Schmidt, each column twice. */
function orthogonal(A: Matrix): { readonly Q: Matrix; readonly R: Matrix } {
  const { rows: m, columns: e, values } = A;
  const r = Math.min(m, e);
  const Q = zeroMatrix(m, r);
  const R = zeroMatrix(r, e);
  for (let j = 0; j < e; j++) {
    const column = Float64Array.from({ length: m }, (_, i) => values[i * e + j]);
    const before = Math.hypot(...column);
    for (const _round of [1, 2])
      for (let k = 0; k < Math.min(j, r); k++) {
        let sum = 0;
        for (let i = 0; i < m; i++) sum += Q.values[i * r + k] * column[i];
        for (let i = 0; i < m; i++) column[i] -= sum * Q.values[i * r + k];
        R.values[k * e + j] += sum;
      }
    const left = Math.hypot(...column);
    if (j >= r || left <= 1e-14 * before) continue; // it lies in what the columns before span
    R.values[j * e + j] = left;
    for (let i = 0; i < m; i++) Q.values[i * r + j] = column[i] / left;
  }
  return { Q, R };
}
