import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { chooseBackend } from '../../src/backend/backend.ts';
import { SELF_CHECK_TOLERANCE, selfCheck } from '../../src/model/reference/self-check.ts';
import { availableBackends } from '../tensors.ts';

const check = { run: selfCheck, tolerance: SELF_CHECK_TOLERANCE };

describe('choosing a backend', () => {
  it('auto says what it took, on what device, and why each better one was passed over', async () => {
    const backend = await chooseBackend('auto', check);
    expect(tf.getBackend()).toBe(backend.name);
    expect(backend.device).not.toBe('');
    const order = ['tensorflow (GPU)', 'webgpu', 'tensorflow (CPU)', 'wasm', 'cpu'];
    expect(backend.passedOver.map(({ name }) => name)).toEqual(order.slice(0, backend.passedOver.length));
    for (const { why } of backend.passedOver) expect(why.length).toBeGreaterThan(10);
    backend.close();
  });

  it.each(['wasm', 'cpu'])('%s passes the self-check with float32 errors only', async (name) => {
    const backend = await chooseBackend(name, check);
    expect(tf.getBackend()).toBe(name);
    expect(backend.selfCheckError).toBeLessThan(1e-5);
    expect(backend.selfCheckError).toBeGreaterThan(0);
  });

  it('refuses a backend that computes wrong numbers, saying by how much', async () => {
    await expect(chooseBackend('cpu', { run: async () => 0.5, tolerance: 1e-3 })).rejects.toThrow(
      /cpu: computes wrong numbers on this machine: .* by 5.0e-1 \(allowed 1e-3\)/,
    );
    await expect(chooseBackend('cpu', { run: async () => NaN, tolerance: 1e-3 })).rejects.toThrow(
      /computes wrong numbers/,
    );
  });

  it('auto goes past a backend that computes wrong numbers to the next', async () => {
    const backend = await chooseBackend('auto', {
      run: async () => (tf.getBackend() === 'cpu' ? selfCheck() : 1),
      tolerance: SELF_CHECK_TOLERANCE,
    });
    expect(backend.name).toBe('cpu');
    expect(backend.passedOver.find(({ name }) => name === 'wasm')?.why).toMatch(/computes wrong numbers/);
  });

  it('refuses a name it does not know', async () => {
    await expect(chooseBackend('cuda', check)).rejects.toThrow(
      /"cuda" is unknown; choose auto, tensorflow, webgpu, wasm, cpu/,
    );
  });

  it('the self-check notices what was broken: a matMul with its sign flipped', async () => {
    await chooseBackend('cpu', check);
    const kernel = tf.getKernel('BatchMatMul', 'cpu')!;
    tf.unregisterKernel('BatchMatMul', 'cpu');
    tf.registerKernel({
      ...kernel,
      kernelFunc: (arguments_) => {
        const out = kernel.kernelFunc(arguments_) as tf.TensorInfo;
        return tf.neg(tf.engine().makeTensorFromTensorInfo(out));
      },
    });
    try {
      expect(await selfCheck()).toBeGreaterThan(SELF_CHECK_TOLERANCE);
    } finally {
      tf.unregisterKernel('BatchMatMul', 'cpu');
      tf.registerKernel(kernel);
    }
    expect(await selfCheck()).toBeLessThan(1e-5);
  });

  it('the self-check leaves no tensors', async () => {
    await chooseBackend('cpu', check);
    await selfCheck();
    const before = tf.memory().numTensors;
    await selfCheck();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe.runIf((await availableBackends()).includes('tensorflow'))('tensorflow, which is installed here', () => {
  const native = (): number => (tf.backend() as unknown as { getNumOfTFTensors: () => number }).getNumOfTFTensors();

  it('passes the self-check with float32 errors only, and names its version', async () => {
    const backend = await chooseBackend('tensorflow', check);
    expect(tf.getBackend()).toBe('tensorflow');
    expect(backend.device).toMatch(/^(CPU|GPU, CUDA), TensorFlow 2\.\d+\.\d+/);
    expect(backend.gpu).toBe(backend.device.startsWith('GPU'));
    expect(backend.selfCheckError).toBeLessThan(1e-5);
    expect(backend.selfCheckError).toBeGreaterThan(0);
  });

  it('frees what it holds outside JavaScript too', async () => {
    await chooseBackend('tensorflow', check);
    const before = native();
    await selfCheck();
    expect(native()).toBe(before);
    const held = tf.square(tf.ones([3]));
    expect(native()).toBeGreaterThan(before);
    held.dispose();
  });

  it('works where util has lost what Node 23 dropped: concat and topk ask for it', async () => {
    await chooseBackend('tensorflow', check);
    const joined = tf.concat([tf.tensor1d([3, 1]), tf.tensor1d([2])]);
    const { values } = tf.topk(joined, 2);
    expect([...(await values.data())]).toEqual([3, 2]);
  });

  it("is not in auto's way when it computes wrong numbers", async () => {
    const backend = await chooseBackend('auto', {
      run: async () => (tf.getBackend() === 'tensorflow' ? 1 : selfCheck()),
      tolerance: SELF_CHECK_TOLERANCE,
    });
    expect(backend.name).not.toBe('tensorflow');
    expect(backend.passedOver.find(({ name }) => name === 'tensorflow (CPU)')?.why).toMatch(/computes wrong numbers/);
    backend.close();
  });
});
