/** The options by which a command is told what to take apart, how, and where: model, prompts, players, ablation, metric, backend. */
import type { Command } from 'commander';
import { ablationOf, ABLATIONS, type Ablation } from '../src/lens/components/ablations.ts';
import { metricOf, METRICS, type Metric } from '../src/lens/metrics.ts';
import { requireStorage, STORAGES } from '../src/model/weights/parameters.ts';
import { addPromptOptions, type PromptFlags } from './circuits/prompts.ts';
import { fromRoot } from './package-root.ts';
import { addBackendOption, addRunOptions, layersOf, namesOf, runOptionsOf, type RunFlags } from './shared-options.ts';

export interface QuestionFlags extends PromptFlags {
  readonly players: string;
  readonly layers?: string;
  readonly ablation: string;
  readonly rescale?: boolean;
  readonly metric: string;
}

export function addQuestionOptions(command: Command): Command {
  command
    .optionsGroup('What to study:')
    .option(
      '--model <folder|id>',
      'model folder in Hugging Face layout, or a hub id: org/name or org/name@revision',
      fromRoot('models/ioi-tiny'),
    );
  return addPromptOptions(command)
    .optionsGroup('How to ablate and measure:')
    .option(
      '--players <list>',
      "heads, mlps, attns, neurons, embed, each with @positions; or parts and groups: L0H1,MLP2,movers=L3H0+L3H1; or edges: edges, edges:a0.*->*, 'a0.h1->a3.h2<q>', groups 'a0.h1->*'",
      'heads',
    )
    .option(
      '--layers <list>',
      'layers that heads, mlps, attns, neurons and (where they are read) edges cover, e.g. 0,2-3 (default: all)',
    )
    .option(
      '--ablation <kind>',
      `auto | ${namesOf(ABLATIONS)}; auto: by a pilot, the first sound one of resample, mean, zero`,
      'auto',
    )
    .option('--rescale', "with zero ablation of heads: multiply a layer's heads that stay on by its heads / those on")
    .option(
      '--mean-prompts <file>',
      "prompts that mean ablation averages over (default: --prompts, or the model folder's prompts.jsonl)",
    )
    .option('--metric <name>', namesOf(METRICS), 'logit-diff');
}

/** What is taken apart, and how; the prompts come from promptsOf. @throws 'input' for names and layers that are none. */
export function partsOf({ players, layers, ablation, rescale, metric }: QuestionFlags): {
  readonly players: string;
  readonly layers: readonly number[] | undefined;
  /** Undefined for 'auto'. */
  readonly ablation: Ablation | undefined;
  readonly rescale: boolean;
  readonly metric: Metric;
} {
  return {
    players,
    layers: layersOf(layers),
    ablation: ablation === 'auto' ? undefined : ablationOf(ablation),
    rescale: rescale === true,
    metric: metricOf(metric),
  };
}

export interface ExecutionFlags extends RunFlags {
  readonly backend: string;
  readonly storage: string;
}

export function addExecutionOptions(command: Command): Command {
  return addRunOptions(
    addBackendOption(command).option(
      '--storage <format>',
      `how matrices are held on the device: ${STORAGES.join(' | ')}; halves need webgpu`,
      'float32',
    ),
  );
}

/** How it is run. @throws 'input' naming the option. */
export function executionOf({ storage, ...run }: ExecutionFlags): {
  readonly storage: ReturnType<typeof requireStorage>;
  readonly batchSize: number | undefined;
  readonly threads: number | 'auto';
} {
  return {
    storage: requireStorage(storage),
    ...runOptionsOf(run),
  };
}
