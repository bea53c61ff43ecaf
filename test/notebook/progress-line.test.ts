import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../src/notebook/kernel.ts';
import { inNotebook } from '../../src/notebook/progress-line.ts';
import { DISPLAY } from '../../src/showing.ts';

interface Options {
  readonly onProgress?: ((step: { stage: string; done: number; total: number }) => void) | undefined;
}

function kernelOf(): {
  readonly kernel: Kernel;
  readonly drawn: { readonly text: string; readonly id: string | undefined }[];
} {
  const drawn: { text: string; id: string | undefined }[] = [];
  const kernel: Kernel = { draw: async (bundle, id) => void drawn.push({ text: bundle['text/plain'], id }) };
  return { kernel, drawn };
}

const twoStages = async ({ onProgress }: Options): Promise<object> => {
  for (const stage of ['pilot', 'masks'])
    for (let done = 0; done <= 1000; done++) onProgress?.({ stage, done, total: 1000 });
  return {};
};

describe('a long call in a notebook', () => {
  it('draws one line that replaces itself, once a stage and then by time, and ends as how long it took', async () => {
    const { kernel, drawn } = kernelOf();
    const value = await inNotebook({} as Options, twoStages, kernel);
    expect(new Set(drawn.map(({ id }) => id)).size).toBe(1);
    expect(drawn.map(({ text }) => text.replace(/\d+\.\d s/, 'N s'))).toEqual([
      'pilot 0/1,000',
      'masks 0/1,000',
      'done in N s',
    ]);
    expect(DISPLAY in value).toBe(true);
  });

  it('draws nothing where the caller is told, nor outside a notebook', async () => {
    const { kernel, drawn } = kernelOf();
    let heard = 0;
    await inNotebook({ onProgress: () => void heard++ }, twoStages, kernel);
    expect(heard).toBe(2002);
    expect(drawn).toEqual([]);
    let asked: Options | undefined;
    const options: Options = {};
    await inNotebook(options, async (told) => (asked = told), undefined);
    expect(asked).toBe(options);
  });

  it('ends its line when the call fails', async () => {
    const { kernel, drawn } = kernelOf();
    const failing = async ({ onProgress }: Options): Promise<object> => {
      onProgress?.({ stage: 'masks', done: 0, total: 8 });
      throw new Error('stopped');
    };
    await expect(inNotebook({} as Options, failing, kernel)).rejects.toThrow('stopped');
    expect(drawn.at(-1)?.text).toMatch(/^done in/);
  });
});
