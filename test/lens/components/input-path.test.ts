/** EAP-IG over parts against its authors' code: golden/edges.json, made by golden/make-edges.py. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { eapIg } from '../../../src/attribution/rankings.ts';
import { ABLATIONS } from '../../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGame } from '../../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../../src/lens/components/components.ts';
import { METRICS } from '../../../src/lens/metrics.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { availableBackends, open } from '../../tensors.ts';

interface GoldenCase {
  readonly prompts: readonly {
    readonly tokens: readonly number[];
    readonly corrupted: readonly number[];
    readonly correct: number;
    readonly incorrect: number;
  }[];
  readonly steps: number;
  readonly nodes: Readonly<Record<string, number>>;
}
const { cases } = JSON.parse(readFileSync('test/golden/edges.json', 'utf8')) as {
  readonly cases: Readonly<Record<string, GoldenCase>>;
};
const FOLDERS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(cases).map((name) => [
    name,
    name === 'ioi-tiny' ? 'models/ioi-tiny' : `test/golden/transformer-lens/${name}`,
  ]),
);

/** `L1H2` as EAP-IG names it. */
const nodeOf = (name: string): string =>
  name === 'EMBED' ? 'input' : name.replace(/^L(\d+)H(\d+)$/, 'a$1.h$2').replace(/^MLP/, 'm');

function gameOf(model: Model, { prompts }: GoldenCase, options: object = {}): ComponentGame {
  return createComponentGame(model, {
    players: parsePlayers('heads,mlps,embed', model.config),
    tasks: prompts.map((prompt) => ({
      ...prompt,
      label: 'prompt',
      text: { prompt: '' },
      strTokens: prompt.tokens.map(String),
    })),
    metric: METRICS['logit-diff'],
    ablation: ABLATIONS.resample,
    ...options,
  });
}

describe.each(await availableBackends())('EAP-IG over parts on %s', (backend) => {
  beforeAll(async () => void (await open(backend)));

  it.each(Object.keys(cases))("has its authors' scores: %s", async (name) => {
    using model = await loadModel(FOLDERS[name]);
    const theirs = cases[name].nodes;
    for (const options of [{}, { batchSize: 2 }]) {
      using game = gameOf(model, cases[name], options);
      const { scores, cost } = await eapIg(game, { path: 'inputs', steps: cases[name].steps });
      expect(cost).toBe(3 * cases[name].steps);
      expect(game.players.map(({ name: player }) => nodeOf(player)).sort()).toEqual(Object.keys(theirs).sort());
      const largest = Math.max(...Object.values(theirs).map(Math.abs));
      expect(largest).toBeGreaterThan(1e-3);
      game.players.forEach(({ name: player }, i) =>
        expect(Math.abs(scores[i] - theirs[nodeOf(player)]) / Math.max(1, largest), player).toBeLessThan(1e-5),
      );
      await expect(async () => eapIg(game, { steps: 2 })).toLeakNoTensors();
    }
  });

  it('adds up over groups and positions, and refuses what it cannot do', async () => {
    using model = await loadModel(FOLDERS['ioi-tiny']);
    const golden = cases['ioi-tiny'];
    const { length } = golden.prompts[0].tokens;
    const sumOf = async (players: string): Promise<number> => {
      using game = gameOf(model, golden, { players: parsePlayers(players, model.config, { length }) });
      return (await eapIg(game, { steps: 3 })).scores.reduce((sum, score) => sum + score, 0);
    };
    const whole = await sumOf('L1H0,L1H2');
    expect(await sumOf('L1H0+L1H2')).toBeCloseTo(whole, 5);
    const positions = Array.from({ length }, (_, position) => `L1H0@${position},L1H2@${position}`).join();
    expect(await sumOf(positions)).toBeCloseTo(whole, 5);
    using zero = gameOf(model, golden, { ablation: ABLATIONS.zero });
    await expect(eapIg(zero, {})).rejects.toThrow('zero has none; use resample');
    using game = gameOf(model, golden);
    await expect(eapIg(game, { path: 'activations' })).rejects.toThrow('over parts it moves inputs');
    using hard = gameOf(model, golden, { metric: METRICS.accuracy });
    await expect(eapIg(hard, {})).rejects.toThrow('or its metric has none');
  });
});
