/**
 * Half precision to float32, exactly: every F16 and BF16 value is a float32 value. And back, to the nearest.
 *
 * BF16 is the upper half of a float32, so widening is a shift. F16 (IEEE 754 binary16: 1 sign,
 * 5 exponent, 10 fraction bits) goes through a table of all 65,536 patterns, made on first use
 * (256 KB), because Node 20 has no Float16Array. NaN payloads and the sign of zero are kept.
 */

/** Widens `from` into `to` starting at `at`: to[at + i] = bfloat16(from[i]). */
export function widenBfloat16(from: Uint16Array, to: Float32Array, at = 0): void {
  const bits = new Uint32Array(to.buffer, to.byteOffset + 4 * at, from.length);
  for (let i = 0; i < from.length; i++) bits[i] = from[i] << 16;
}

/** Widens `from` into `to` starting at `at`: to[at + i] = binary16(from[i]). */
export function widenFloat16(from: Uint16Array, to: Float32Array, at = 0): void {
  const table = (float16Table ??= makeFloat16Table());
  const bits = new Uint32Array(to.buffer, to.byteOffset + 4 * at, from.length);
  for (let i = 0; i < from.length; i++) bits[i] = table[from[i]];
}

/** The float32 value of every float16 bit pattern, by pattern. Shared: not to be written to. */
export function float16Values(): Float32Array {
  const { buffer } = (float16Table ??= makeFloat16Table());
  return new Float32Array(buffer);
}

/** Float32 bit patterns by float16 bit pattern; bits and not floats, so that no NaN is rewritten on the way. */
let float16Table: Uint32Array<ArrayBuffer> | undefined;

function makeFloat16Table(): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(65536);
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  for (let half = 0; half < 32768; half++) {
    const exponent = half >>> 10;
    const fraction = half & 1023;
    if (exponent === 31) {
      bits[0] = 0x7f800000 | (fraction << 13); // infinity and NaN
    } else if (exponent === 0) {
      value[0] = fraction * 2 ** -24; // zero and subnormals, normal in float32
    } else {
      bits[0] = ((exponent + 112) << 23) | (fraction << 13); // 127 - 15 = 112
    }
    table[half] = bits[0];
    table[half | 0x8000] = bits[0] | 0x80000000;
  }
  return table;
}

/** bfloat16 bits of the values nearest to `from`, ties to even. NaN stays NaN; what is beyond the range becomes infinite. */
export function narrowBfloat16(from: Float32Array): Uint16Array {
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
  const to = new Uint16Array(from.length);
  for (let i = 0; i < to.length; i++) {
    const word = bits[i];
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    to[i] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return to;
}

/** binary16 bits of the values nearest to `from`, ties to even. NaN stays NaN; from 65,520 on they become infinite. */
export function narrowFloat16(from: Float32Array): Uint16Array {
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
  const to = new Uint16Array(from.length);
  for (let i = 0; i < to.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000;
    const size = bits[i] & 0x7fffffff;
    if (size > 0x7f800000) to[i] = sign | 0x7e00;
    else if (size >= 0x477ff000)
      to[i] = sign | 0x7c00; // 65,520, half-way to what would be next
    else if (size < 0x38800000)
      to[i] = sign | roundEven(Math.abs(from[i]) * 2 ** 24); // below 2^-14: steps of 2^-24
    else to[i] = sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  }
  return to;
}

function roundEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}
