/** Rankings of heads and MLPs against PyTorch autograd: golden/rankings.json, made by golden/make-rankings.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { attributionPatching, integratedGradients, type Interpolated } from '../../src/attribution/rankings.ts';
import { ablationOf } from '../../src/lens/components/ablations.ts';
import { createComponentGame } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { loadModel } from '../../src/model/model.ts';
import { availableBackends, open } from '../tensors.ts';

const GOLDEN = JSON.parse(readFileSync('test/golden/rankings.json', 'utf8')) as {
  readonly tokens: readonly number[];
  readonly corrupted: readonly number[];
  readonly correct: number;
  readonly incorrect: number;
  readonly steps: number;
  readonly scores: Record<string, Record<'attribution patching' | 'integrated gradients', Record<string, number>>>;
};

describe.each(await availableBackends())('rankings on %s', (backend) => {
  beforeAll(async () => void (await open(backend)));

  it.each(Object.keys(GOLDEN.scores))("%s has PyTorch's scores", async (name) => {
    using model = await loadModel(join('test/golden/families', name));
    const { tokens, corrupted, correct, incorrect, steps, scores } = GOLDEN;
    using game = createComponentGame(model, {
      players: parsePlayers('heads,mlps', model.config),
      tasks: [
        { tokens, corrupted, correct, incorrect, label: 'prompt', text: { prompt: '' }, strTokens: tokens.map(String) },
      ],
      metric: metricOf('logit-diff'),
      ablation: ablationOf('resample'),
    });
    const rankings = [
      await attributionPatching(game),
      await integratedGradients(game as unknown as Interpolated, { steps }),
    ];
    for (const ranking of rankings) {
      const expected = scores[name][ranking.name as 'attribution patching'];
      const largest = Math.max(...Object.values(expected).map(Math.abs));
      game.players.forEach((player, i) =>
        expect(Math.abs(ranking.scores[i] - expected[player.name]) / largest, player.name).toBeLessThan(1e-5),
      );
    }
  });
});
