/** What is computed in Node and in a page alike: logits, a block of masks, their gradients, a spectrum, an identity. */
import {
  ABLATIONS,
  createComponentGame,
  createRandom,
  findCircuits,
  hashStudy,
  loadModel,
  METRICS,
  openBackend,
  parsePlayers,
  parsePrompts,
  runWithHooks,
  SOLVERS,
  toTasks,
  uniformMasks,
  type ModelFiles,
} from '../../src/index.ts';
import { studyOf } from '../../src/find-circuits.ts';
import { selectRows } from '../../src/masks.ts';

export interface Numbers {
  readonly backend: string;
  readonly device: string;
  readonly logits: readonly number[];
  readonly values: readonly number[];
  readonly gradients: readonly number[];
  /** Members and value of the 30 largest terms that ProxySPEX finds, and how well they predict; none where only passes were asked for. */
  readonly terms: readonly (readonly [members: string, value: number])[];
  readonly r2: number | undefined;
  /** Of the study but for its backend: the hashes of weights, configuration, tokenizer and question. */
  readonly study: string;
}

/** All of it, or with `what` 'passes' six masks and no spectrum: a GPU in software takes its time. */
export async function numbersOf(
  what: 'all' | 'passes',
  backendName: string,
  files: ModelFiles,
  prompts: string,
): Promise<Numbers> {
  const backend = await openBackend(backendName);
  using model = await loadModel(files, { name: 'ioi-tiny' });
  const first = parsePrompts(prompts, 'prompts').slice(0, 2);
  const logits = runWithHooks(
    model,
    first.map(({ prompt }) => prompt as string),
    [],
  );
  const metric = METRICS['logit-diff'];
  const options = {
    players: parsePlayers('heads', model.config),
    tasks: toTasks(model, first, { metric, corrupted: true }),
    metric,
    ablation: ABLATIONS.resample,
  };
  using game = createComponentGame(model, options);
  const drawn = uniformMasks(game.players.length, 40, createRandom(7, 'browser'));
  const masks = what === 'all' ? drawn : selectRows(drawn, [0, 1, 2, 3, 4, 5]);
  const values = await game.value(masks);
  const { gradients = new Float32Array() } = (await game.gradients?.(masks)) ?? {};
  const search = { prompts: first, ablation: ABLATIONS.resample, solver: SOLVERS.proxyspex, budget: 200, heldOut: 100 };
  const result = what === 'all' ? await findCircuits(model, backend, search) : undefined;
  const study = await studyOf(model, { name: 'any' }, options);
  const numbers = {
    backend: backend.name,
    device: backend.device,
    logits: [...(await logits.data())],
    values: [...values],
    gradients: [...gradients],
    terms: (result?.spectrum.terms ?? []).slice(0, 30).map(({ members, value }) => [members.join(), value] as const),
    r2: result?.heldOut?.r2,
    study: hashStudy(study),
  };
  logits.dispose();
  backend.close();
  return numbers;
}
