/** Gradients of masks on threads: those of one thread, each mask told of once. */
import { describe, expect, it } from 'vitest';
import { ablationOf } from '../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGameOptions } from '../../src/lens/components/component-game.ts';
import type { MaskedGame } from '../../src/lens/components/masked-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { allMasks, concatMasks, selectRows } from '../../src/masks.ts';
import { createPooledGame } from '../../src/measure/pooled-game.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';

const MASKS = selectRows(
  allMasks(9),
  Array.from({ length: 60 }, (_, k) => 8 * k + 3),
);

function optionsOf(): {
  readonly model: ReturnType<typeof randomModel>['model'];
  readonly options: ComponentGameOptions;
} {
  const { model } = randomModel(CONFIGS['gpt2']);
  const task = {
    tokens: [3, 1, 4, 1, 5],
    corrupted: [8, 2, 11, 7, 0],
    correct: 5,
    incorrect: 2,
    label: 'prompt',
    text: { prompt: 'prompt' },
    strTokens: [],
  };
  return {
    model,
    options: {
      players: parsePlayers('heads', model.config),
      tasks: [task],
      metric: metricOf('logit-diff'),
      ablation: ablationOf('resample'),
      batchSize: 8,
    },
  };
}

const gradientsOf = (game: MaskedGame) => game.gradients as NonNullable<MaskedGame['gradients']>;

describe('gradients on threads', { timeout: 120_000 }, () => {
  for (const threads of [2, 'auto'] as const) {
    it(`are those of one thread, on ${threads}`, async () => {
      await open('wasm');
      const { model, options } = optionsOf();
      using alone = createComponentGame(model, options);
      using pooled = createPooledGame(model, options, { threads, worthMs: 1 });
      const masks = concatMasks([MASKS, selectRows(MASKS, [0, 1])]); // some twice
      const told = new Map<number, number>();
      const all = await gradientsOf(pooled)(masks, {
        onGradients(rows, values, gradients) {
          expect(gradients).toHaveLength(9 * rows.length);
          for (let k = 0; k < rows.length; k++) {
            expect(told.has(rows[k])).toBe(false);
            told.set(rows[k], values[k]);
          }
        },
      });
      const expected = await gradientsOf(alone)(masks);
      expect(told.size).toBe(62);
      expect(all.values).toBeAllClose(expected.values, 1e-5);
      expect(all.gradients).toBeAllClose(expected.gradients, 1e-5);
      if (threads === 2) expect(pooled.threads).toBe(2);
      const stop = new AbortController();
      await expect(
        gradientsOf(pooled)(masks, { signal: stop.signal, onGradients: () => stop.abort() }),
      ).rejects.toThrow('stopped on request');
    });
  }
});
