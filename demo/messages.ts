/** What the page and its worker say to one another. */
import type { Prompt } from '../src/lens/prompts.ts';
import type { Result } from '../src/report/result.ts';

/** The files of a model by their names. */
export type Files = Readonly<Record<string, Blob>>;

export interface Search {
  readonly model: string;
  readonly files: Files;
  /** The sentence, and where there is one its pair, whose answers are swapped. */
  readonly prompts: readonly Prompt[];
  readonly ablation: 'zero' | 'resample';
  readonly budget: number;
}

export type FromWorker =
  | { readonly progress: { readonly stage: string; readonly done: number; readonly total: number } }
  | { readonly result: Result }
  | { readonly failed: string };
