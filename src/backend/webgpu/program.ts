/**
 * What our WebGPU programs share: the part of tfjs-backend-webgpu 4.22 that runs one, and pointwise functions in WGSL.
 *
 * WGSL lets a compiler assume that nothing is infinite or NaN, so arguments of exp are kept where no result overflows.
 */
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';

/** A shader with what the backend needs to bind and dispatch it. */
export interface WebgpuProgram {
  variableNames: string[];
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout: { readonly x: number[]; readonly y?: number[] };
  readonly dispatch: [number, number, number];
  /** Values that one element of the output array holds, and of each input array: 1 or 4. */
  readonly outputComponent?: number;
  readonly variableComponents?: number[];
  readonly size?: boolean;
  readonly uniforms?: string;
  /** Names the source; the backend adds ranks and dtypes. */
  shaderKey: string;
  getUserCode(): string;
}

export interface Uniform {
  readonly type: 'int32' | 'float32';
  readonly data: number[];
}

/** The backend that kernels are given. */
export interface WebgpuBackend {
  readonly device: { readonly limits: { readonly maxComputeWorkgroupStorageSize: number } };
  runWebGPUProgram(
    program: WebgpuProgram,
    inputs: TensorInfo[],
    dtype: DataType,
    uniforms?: Uniform[],
    output?: TensorInfo,
  ): TensorInfo;
}

export type Pointwise = 'none' | 'relu' | 'silu' | 'gelu' | 'gelu_new';
export type FloatType = 'f32' | 'vec4<f32>';

/** The same values under another shape: no copy, and nothing to dispose. */
export const viewed = ({ dataId, dtype }: TensorInfo, shape: number[]): TensorInfo => ({ dataId, dtype, shape });

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

export const floatType = (component: number): FloatType => (component === 4 ? 'vec4<f32>' : 'f32');

/** 4 where `width` values can be read four at a time, else 1. */
export const componentOf = (width: number): 1 | 4 => (width % 4 === 0 ? 4 : 1);

const SQRT_8_OVER_PI = 2 * Math.sqrt(2 / Math.PI);

/** `fn pointwise(x : type) -> type`, the activation. */
export function pointwiseSource(kind: Pointwise, type: FloatType): string {
  return `fn pointwise(x : ${type}) -> ${type} { ${bodyOf(kind, type)} }`;
}

function bodyOf(kind: Pointwise, type: FloatType): string {
  switch (kind) {
    case 'none':
      return 'return x;';
    case 'relu':
      return `return max(x, ${type}(0.0));`;
    case 'silu':
      return `return x / (1.0 + exp(min(-x, ${type}(87.0))));`;
    case 'gelu_new': // x·sigmoid(2u), which equals x/2·(1 + tanh u)
      return `
        let z = clamp(x, ${type}(-30.0), ${type}(30.0));
        return x / (1.0 + exp(min(-z * (${SQRT_8_OVER_PI} + ${0.044715 * SQRT_8_OVER_PI} * z * z), ${type}(87.0))));`;
    case 'gelu': // x·Phi(x); the tail 1 - Phi(|x|) by Abramowitz and Stegun 7.1.26, within 7.5e-8
      return `
        let z = min(abs(x) * ${Math.SQRT1_2}, ${type}(12.0));
        let t = 1.0 / (1.0 + 0.3275911 * z);
        let tail = 0.5 * t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * exp(-z * z);
        return x * select(tail, 1.0 - tail, x > ${type}(0.0));`;
    default:
      return kind satisfies never;
  }
}

/** `fn softcapped(x : f32) -> f32`, cap·tanh(x / cap): a series near 0, where the built-in may cancel. */
export const SOFTCAP_SOURCE = `
  fn softcapped(x : f32) -> f32 {
    let a = x / uniforms.softcap;
    let s = a * a;
    let near = a * (1.0 + s * (-0.3333333333 + s * (0.1333333333 + s * (-0.0539682540 + s * 0.0218694885))));
    let e = exp(-2.0 * min(abs(a), 40.0));
    return uniforms.softcap * select(sign(a) * (1.0 - e) / (1.0 + e), near, s < 0.0625);
  }`;
