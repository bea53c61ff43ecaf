/**
 * The register tiles of a matrix product (AssemblyScript; called by product.ts and attention.ts).
 *
 * tileRxC: c [R, C] = a [R, k] · b [k, C], onto what c holds where `more`. lda, ldb, ldc are the bytes from one row to the
 * next. Tiles wider than 8 columns take b in panels of 8, `panel` bytes apart. Every element is one chain of multiply-adds
 * over k from 0 up, whatever the tile: so a row's result, to the last bit, does not depend on the rows beside it.
 *
 * They are written out because the sums must stay in registers, of which there are 15: 6 x 8 is what fits. A loop over
 * k by one is twice as fast as an unrolled one, which V8 spills (measured). They are exported to keep them from being
 * inlined: an instance's first calls then reach the optimised code sooner.
 */
import { multiplyAdd } from './functions';

/** 6 rows, 8 columns. */
export function tile6x8(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, more: bool): void {
  let a1 = a + lda;
  let a2 = a1 + lda;
  let a3 = a2 + lda;
  let a4 = a3 + lda;
  let a5 = a4 + lda;
  const c1 = c + ldc;
  const c2 = c1 + ldc;
  const c3 = c2 + ldc;
  const c4 = c3 + ldc;
  const c5 = c4 + ldc;
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  let s40 = f32x4.splat(0);
  let s41 = f32x4.splat(0);
  let s50 = f32x4.splat(0);
  let s51 = f32x4.splat(0);
  if (more) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
    s30 = v128.load(c3);
    s31 = v128.load(c3, 16);
    s40 = v128.load(c4);
    s41 = v128.load(c4, 16);
    s50 = v128.load(c5);
    s51 = v128.load(c5, 16);
  }
  for (; k > 0; k--) {
    const v0 = v128.load(b);
    const v1 = v128.load(b, 16);
    b += ldb;
    let x = v128.load_splat<f32>(a);
    s00 = multiplyAdd(x, v0, s00);
    s01 = multiplyAdd(x, v1, s01);
    a += 4;
    x = v128.load_splat<f32>(a1);
    s10 = multiplyAdd(x, v0, s10);
    s11 = multiplyAdd(x, v1, s11);
    a1 += 4;
    x = v128.load_splat<f32>(a2);
    s20 = multiplyAdd(x, v0, s20);
    s21 = multiplyAdd(x, v1, s21);
    a2 += 4;
    x = v128.load_splat<f32>(a3);
    s30 = multiplyAdd(x, v0, s30);
    s31 = multiplyAdd(x, v1, s31);
    a3 += 4;
    x = v128.load_splat<f32>(a4);
    s40 = multiplyAdd(x, v0, s40);
    s41 = multiplyAdd(x, v1, s41);
    a4 += 4;
    x = v128.load_splat<f32>(a5);
    s50 = multiplyAdd(x, v0, s50);
    s51 = multiplyAdd(x, v1, s51);
    a5 += 4;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
  v128.store(c4, s40);
  v128.store(c4, s41, 16);
  v128.store(c5, s50);
  v128.store(c5, s51, 16);
}

/** 5 rows, 8 columns. */
export function tile5x8(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, more: bool): void {
  let a1 = a + lda;
  let a2 = a1 + lda;
  let a3 = a2 + lda;
  let a4 = a3 + lda;
  const c1 = c + ldc;
  const c2 = c1 + ldc;
  const c3 = c2 + ldc;
  const c4 = c3 + ldc;
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  let s40 = f32x4.splat(0);
  let s41 = f32x4.splat(0);
  if (more) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
    s30 = v128.load(c3);
    s31 = v128.load(c3, 16);
    s40 = v128.load(c4);
    s41 = v128.load(c4, 16);
  }
  for (; k > 0; k--) {
    const v0 = v128.load(b);
    const v1 = v128.load(b, 16);
    b += ldb;
    let x = v128.load_splat<f32>(a);
    s00 = multiplyAdd(x, v0, s00);
    s01 = multiplyAdd(x, v1, s01);
    a += 4;
    x = v128.load_splat<f32>(a1);
    s10 = multiplyAdd(x, v0, s10);
    s11 = multiplyAdd(x, v1, s11);
    a1 += 4;
    x = v128.load_splat<f32>(a2);
    s20 = multiplyAdd(x, v0, s20);
    s21 = multiplyAdd(x, v1, s21);
    a2 += 4;
    x = v128.load_splat<f32>(a3);
    s30 = multiplyAdd(x, v0, s30);
    s31 = multiplyAdd(x, v1, s31);
    a3 += 4;
    x = v128.load_splat<f32>(a4);
    s40 = multiplyAdd(x, v0, s40);
    s41 = multiplyAdd(x, v1, s41);
    a4 += 4;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
  v128.store(c4, s40);
  v128.store(c4, s41, 16);
}

/** 4 rows, 8 columns. */
export function tile4x8(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, more: bool): void {
  let a1 = a + lda;
  let a2 = a1 + lda;
  let a3 = a2 + lda;
  const c1 = c + ldc;
  const c2 = c1 + ldc;
  const c3 = c2 + ldc;
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  if (more) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
    s30 = v128.load(c3);
    s31 = v128.load(c3, 16);
  }
  for (; k > 0; k--) {
    const v0 = v128.load(b);
    const v1 = v128.load(b, 16);
    b += ldb;
    let x = v128.load_splat<f32>(a);
    s00 = multiplyAdd(x, v0, s00);
    s01 = multiplyAdd(x, v1, s01);
    a += 4;
    x = v128.load_splat<f32>(a1);
    s10 = multiplyAdd(x, v0, s10);
    s11 = multiplyAdd(x, v1, s11);
    a1 += 4;
    x = v128.load_splat<f32>(a2);
    s20 = multiplyAdd(x, v0, s20);
    s21 = multiplyAdd(x, v1, s21);
    a2 += 4;
    x = v128.load_splat<f32>(a3);
    s30 = multiplyAdd(x, v0, s30);
    s31 = multiplyAdd(x, v1, s31);
    a3 += 4;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
}

/** 3 rows, 8 columns. */
export function tile3x8(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, more: bool): void {
  let a1 = a + lda;
  let a2 = a1 + lda;
  const c1 = c + ldc;
  const c2 = c1 + ldc;
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  if (more) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
  }
  for (; k > 0; k--) {
    const v0 = v128.load(b);
    const v1 = v128.load(b, 16);
    b += ldb;
    let x = v128.load_splat<f32>(a);
    s00 = multiplyAdd(x, v0, s00);
    s01 = multiplyAdd(x, v1, s01);
    a += 4;
    x = v128.load_splat<f32>(a1);
    s10 = multiplyAdd(x, v0, s10);
    s11 = multiplyAdd(x, v1, s11);
    a1 += 4;
    x = v128.load_splat<f32>(a2);
    s20 = multiplyAdd(x, v0, s20);
    s21 = multiplyAdd(x, v1, s21);
    a2 += 4;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
}

/** 2 rows, 8 columns. */
export function tile2x8(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, more: bool): void {
  let a1 = a + lda;
  const c1 = c + ldc;
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  if (more) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
  }
  for (; k > 0; k--) {
    const v0 = v128.load(b);
    const v1 = v128.load(b, 16);
    b += ldb;
    let x = v128.load_splat<f32>(a);
    s00 = multiplyAdd(x, v0, s00);
    s01 = multiplyAdd(x, v1, s01);
    a += 4;
    x = v128.load_splat<f32>(a1);
    s10 = multiplyAdd(x, v0, s10);
    s11 = multiplyAdd(x, v1, s11);
    a1 += 4;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
}

/** 1 row, 8 columns. */
export function tile1x8(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, k: i32, more: bool): void {
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  if (more) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
  }
  for (; k > 0; k--) {
    const v0 = v128.load(b);
    const v1 = v128.load(b, 16);
    b += ldb;
    const x = v128.load_splat<f32>(a);
    s00 = multiplyAdd(x, v0, s00);
    s01 = multiplyAdd(x, v1, s01);
    a += 4;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
}

/** 1 row, 32 columns. */
export function tile1x32(a: usize, lda: usize, b: usize, ldb: usize, panel: usize, c: usize, ldc: usize, k: i32, more: bool): void {
  let b1 = b + panel;
  let b2 = b1 + panel;
  let b3 = b2 + panel;
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s02 = f32x4.splat(0);
  let s03 = f32x4.splat(0);
  let s04 = f32x4.splat(0);
  let s05 = f32x4.splat(0);
  let s06 = f32x4.splat(0);
  let s07 = f32x4.splat(0);
  if (more) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s02 = v128.load(c, 32);
    s03 = v128.load(c, 48);
    s04 = v128.load(c, 64);
    s05 = v128.load(c, 80);
    s06 = v128.load(c, 96);
    s07 = v128.load(c, 112);
  }
  for (; k > 0; k--) {
    const v0 = v128.load(b);
    const v1 = v128.load(b, 16);
    const v2 = v128.load(b1);
    const v3 = v128.load(b1, 16);
    const v4 = v128.load(b2);
    const v5 = v128.load(b2, 16);
    const v6 = v128.load(b3);
    const v7 = v128.load(b3, 16);
    b += ldb;
    b1 += ldb;
    b2 += ldb;
    b3 += ldb;
    const x = v128.load_splat<f32>(a);
    s00 = multiplyAdd(x, v0, s00);
    s01 = multiplyAdd(x, v1, s01);
    s02 = multiplyAdd(x, v2, s02);
    s03 = multiplyAdd(x, v3, s03);
    s04 = multiplyAdd(x, v4, s04);
    s05 = multiplyAdd(x, v5, s05);
    s06 = multiplyAdd(x, v6, s06);
    s07 = multiplyAdd(x, v7, s07);
    a += 4;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c, s02, 32);
  v128.store(c, s03, 48);
  v128.store(c, s04, 64);
  v128.store(c, s05, 80);
  v128.store(c, s06, 96);
  v128.store(c, s07, 112);
}
