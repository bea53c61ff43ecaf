/** The wasm backend with ONNX Runtime's products: the numbers, what stays ours, and that there are no threads beside. */
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNativeProducts, type OnnxBinding } from '../../src/backend/native-products.ts';
import { fused, hasFused } from '../../src/model/forward/fused.ts';
import { runKernel } from '../../src/model/forward/fused-kernels.ts';
import { canPool } from '../../src/measure/pooled-game.ts';
import { createRandom } from '../../src/random.ts';
import { open } from '../tensors.ts';

const random = createRandom(3, 'native');
const numbers = (...shape: number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()),
    shape,
  );

function installed(): boolean {
  try {
    createRequire(import.meta.url)('onnxruntime-node/dist/binding.js');
    return true;
  } catch (error) {
    console.info(`products by ONNX Runtime are not tested here: ${(error as Error).message.split('\n')[0]}`);
    return false;
  }
}

describe.runIf(installed())('the wasm backend with products by ONNX Runtime', () => {
  let device: string;
  beforeAll(async () => {
    device = (await open('wasm', { kernels: 'native' })).device;
  });
  afterAll(async () => {
    await open('wasm', { kernels: 'auto' });
  });

  it('passes the self-check, says so, and has all cores', async () => {
    expect(device).toMatch(/products by ONNX Runtime on all cores$/);
    expect([hasFused('SpexlensAttention'), hasFused('SpexlensToHeads'), canPool()]).toEqual([true, false, false]);
    await open('wasm', { kernels: 'auto' });
    expect([hasFused('SpexlensToHeads'), canPool()]).toEqual([true, true]);
    await open('wasm', { kernels: 'native' });
  });

  it.each([
    [512, 448, 448],
    [1200, 770, 113],
    [20, 48, 80], // too little work: ours
  ])('%i x %i x %i with bias, activation and residual is what ours is, and its way back', async (rows, a, c) => {
    const inputs = { x: numbers(rows / 4, 4, a), W: numbers(a, c), b: numbers(c), residual: numbers(rows / 4, 1, c) };
    const dy = numbers(rows / 4, 4, c);
    const both = async (kernels: 'native' | 'auto'): Promise<ArrayLike<number>[]> => {
      await open('wasm', { kernels });
      const before = tf.memory().numTensors;
      const whole = fused('SpexlensLinear', inputs, { activation: 'gelu_new' });
      const bare = fused('SpexlensLinear', { x: inputs.x, W: inputs.W }, { activation: 'none' });
      const back = runKernel('SpexlensBackLinear', { dy, W: inputs.W }, {}) as tf.Tensor;
      const made = [whole, bare, back];
      const values = await Promise.all(made.map((tensor) => tensor.data()));
      expect(made.map(({ shape }) => shape)).toEqual([dy.shape, dy.shape, inputs.x.shape]);
      tf.dispose(made);
      expect(tf.memory().numTensors).toBe(before);
      return values;
    };
    const [native, ours] = [await both('native'), await both('auto')];
    native.forEach((values, i) => expect(values).toBeAllClose(ours[i], 1e-5 * Math.sqrt(Math.max(a, c))));
    await open('wasm', { kernels: 'native' });
    tf.dispose([...Object.values(inputs), dy]);
  });

  it('refuses a residual whose rows do not divide', () => {
    const inputs = { x: tf.zeros([1002, 400]), W: tf.zeros([400, 256]), residual: tf.zeros([4, 256]) };
    expect(() => fused('SpexlensLinear', inputs, { activation: 'none' })).toThrow(/4 rows goes onto 1002/);
    tf.dispose(inputs);
  });
});

describe('a library that multiplies wrong', () => {
  it('is not used', () => {
    const wrong: OnnxBinding = {
      InferenceSession: class {
        loadModel(): void {}
        run(): void {}
      },
    };
    expect(() => createNativeProducts(wrong)).toThrow(/multiplies two small matrices wrong/);
  });
});
