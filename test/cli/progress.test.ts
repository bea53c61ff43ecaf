/** How long a run says it will take, and when it names the backend that would save minutes. */
import { describe, expect, it } from 'vitest';
import { createForecast, timeLeft } from '../../cli/circuits/forecast.ts';
import { createProgress, type ProgressOptions } from '../../cli/circuits/progress.ts';

/** A clock that is set by hand, in seconds. */
function clock(): { now: () => number; at: (seconds: number) => void } {
  let time = 0;
  return { now: () => 1000 * time, at: (seconds) => (time = seconds) };
}

describe('a forecast', () => {
  it('has the time left of a phase from its first batch on', () => {
    const { now, at } = clock();
    const forecast = createForecast(1000, now);
    expect(forecast({ stage: 'measure', done: 0, total: 400 })).toEqual({
      rate: undefined,
      phase: undefined,
      run: undefined,
    });
    at(2);
    const first = forecast({ stage: 'measure', done: 100, total: 400 });
    expect(first.rate).toBe(50);
    expect(first.phase).toBe(6);
    // 1,000 and some 700 of the circuit at 50 a second
    expect(first.run).toBe(2 + 1600 / 50);
  });

  it('does so in every phase, of masks or of steps', () => {
    const { now, at } = clock();
    const forecast = createForecast(100, now);
    for (const [k, stage] of [
      'pilot',
      'measure gradients',
      'tune',
      'held out',
      'circuit: curve',
      'removal',
    ].entries()) {
      at(10 * k);
      forecast({ stage, done: 0, total: 30 });
      at(10 * k + 3);
      expect(forecast({ stage, done: 10, total: 30 }).phase).toBe(6);
    }
  });

  it('counts a mask with its gradients three times, and steps of a fit not at all', () => {
    const { now, at } = clock();
    const forecast = createForecast(300, now);
    forecast({ stage: 'measure gradients', done: 0, total: 100 });
    at(30);
    const sloped = forecast({ stage: 'measure gradients', done: 100, total: 100 });
    expect(sloped.run).toBe(30 + 700 / 10);
    forecast({ stage: 'tune', done: 0, total: 5 });
    at(50);
    expect(forecast({ stage: 'tune', done: 5, total: 5 }).run).toBe(50 + 700 / 10);
  });

  it('begins anew where a stage is told of again', () => {
    const { now, at } = clock();
    const forecast = createForecast(0, now);
    forecast({ stage: 'measure', done: 0, total: 10 });
    at(100);
    forecast({ stage: 'measure', done: 10, total: 10 });
    forecast({ stage: 'measure', done: 0, total: 10 });
    at(101);
    expect(forecast({ stage: 'measure', done: 1, total: 10 }).phase).toBe(9);
  });

  it.each([
    [0.2, '1 s'],
    [59, '59 s'],
    [200, '3 min 20 s'],
    [7500, '2 h 5 min'],
  ])('%d seconds are %s', (seconds, text) => expect(timeLeft(seconds)).toBe(text));
});

describe('the hint', () => {
  const said = (backend: ProgressOptions['backend'] & object, seconds: number): string => {
    let err = '';
    const { now, at } = clock();
    const progress = createProgress({ isTTY: false }, { masks: 1000, backend, now, err: (text) => (err += text) });
    progress.update({ stage: 'measure', done: 0, total: 500 });
    for (const part of [1, 2, 3]) {
      at((part * seconds) / 17); // 1,700 masks in all
      progress.update({ stage: 'measure', done: 100 * part, total: 500 });
    }
    progress.stop();
    return err;
  };
  const absent = [{ name: 'tensorflow (CPU)', why: 'the package @tensorflow/tfjs-node-gpu is not installed' }];

  it('is said once, with the time, when a run takes longer than a minute on wasm and TensorFlow is not installed', () => {
    expect(said({ name: 'wasm', passedOver: absent }, 240)).toBe(
      'this run takes some 4 min 0 s on wasm; `spexlens install-tensorflow` (25 s, 0.3 GB) makes it about 3 times faster\n',
    );
  });
  it('is not said before five seconds of the run were seen', () => {
    let err = '';
    const { now, at } = clock();
    const backend = { name: 'wasm', passedOver: absent } as const;
    const progress = createProgress({ isTTY: false }, { masks: 1000, backend, now, err: (text) => (err += text) });
    progress.update({ stage: 'measure', done: 0, total: 500 });
    at(4.9);
    progress.update({ stage: 'measure', done: 1, total: 500 });
    expect(err).toBe('');
    at(5);
    progress.update({ stage: 'measure', done: 2, total: 500 });
    expect(err).toContain('makes it about 3 times faster');
  });
  it('is not said of a shorter run', () => {
    expect(said({ name: 'wasm', passedOver: absent }, 50)).toBe('');
  });
  it('nor on another backend', () => {
    expect(said({ name: 'tensorflow', passedOver: [] }, 240)).toBe('');
  });
  it('nor where TensorFlow was passed over for another reason', () => {
    expect(said({ name: 'wasm', passedOver: [{ name: 'tensorflow (CPU)', why: 'computes wrong numbers' }] }, 240)).toBe(
      '',
    );
  });
});
