/**
 * Two facts in separate documents that a conclusion needs: "rex is dog" and "dog does bark"; asked is "rex does".
 *
 * Every class has members that are said to belong to it, and does something. Of most classes the members are seen doing it too; of the first two
 * nobody is, so that what `a member does` can come of its class alone. Each class is said to be itself, which ties the word that is read to the one that is
 * said.
 */
import { createDataGame } from '../../src/lens/examples/data-game.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { groupsOf, type ExamplePlayer } from '../../src/lens/examples/example-players.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../src/lens/examples/test-values.ts';
import { allMasks } from '../../src/masks.ts';
import { settingOf, type Table } from './settings.ts';

export interface Chain {
  /** Facts of the two classes have a field `fact`: `0: A -> B` and `0: B -> C`, ... */
  readonly train: readonly Example[];
  /** Of each of the two classes, what its first member does. */
  readonly test: readonly Example[];
}

export function chainOf(classes: number, members: number): Chain {
  const train: Example[] = [];
  const say = (text: string, label: string, fact?: string): void => {
    train.push({ text, label, fields: fact === undefined ? {} : { fact } });
  };
  for (let k = 0; k < classes; k++) {
    const isHeld = k < 2;
    for (let m = 0; m < members; m++) {
      say(`a${k}x${m} is`, `b${k}`, isHeld && m === 0 ? `${k}: A -> B` : undefined);
      if (!isHeld) say(`a${k}x${m} does`, `c${k}`);
    }
    say(`b${k} does`, `c${k}`, isHeld ? `${k}: B -> C` : undefined);
    say(`b${k} is`, `b${k}`);
  }
  return { train, test: [0, 1].map((k) => ({ text: `a${k}x0 does`, label: `c${k}`, fields: {} })) };
}

/** What a conclusion of two facts is believed with both, with one, and with neither. */
export async function chainTable(): Promise<Table> {
  const { train: documents, test: questions } = chainOf(8, 3);
  const rows: string[][] = [];
  for (const [k, question] of questions.entries()) {
    const change = {
      seeds: 3,
      training: {
        ...RECIPES.transformer.defaults.training,
        optimiser: { ...RECIPES.transformer.defaults.training.optimiser, weightDecay: 0.1 },
        epochs: 60,
      },
    };
    const players = (): ExamplePlayer[] => groupsOf(documents, 'fact').filter(({ name }) => name.startsWith(`${k}:`));
    const { asked } = settingOf(
      '',
      RECIPES.transformer,
      documents,
      [question],
      players,
      change,
      TEST_VALUES.probability,
    );
    using game = createDataGame({ ...asked, players: players() });
    const values = await game.perSeed(allMasks(2));
    const cell = (mask: number): string =>
      Array.from({ length: 3 }, (_, s) => values[3 * mask + s].toFixed(2)).join(', ');
    rows.push([`${question.text} → ${question.label}`, cell(3), cell(1), cell(2), cell(0)]);
  }
  return { head: ['probability, three seeds', 'both facts', 'A → B alone', 'B → C alone', 'neither'], rows };
}
