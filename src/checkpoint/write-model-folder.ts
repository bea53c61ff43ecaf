/** Writes a model folder in Hugging Face layout: configuration, weights, tokenizer, and texts beside them. */
import { fail, SpexlensError } from '../errors.ts';
import { makeFolder, writeText } from '../platform/file-system.ts';
import { join } from '../platform/paths.ts';
import { writeSafetensors, type TensorToWrite } from './safetensors-write.ts';

export interface ModelFolderContents {
  /** config.json */
  readonly config: object;
  /** model.safetensors */
  readonly tensors: Readonly<Record<string, TensorToWrite>>;
  /** tokenizer.json and tokenizer_config.json */
  readonly tokenizer: { readonly tokenizer: object; readonly config: object };
  /** Other files by name: README.md, prompts.jsonl. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Makes `folder` and writes all of it, over what is there. @throws 'checkpoint' when it cannot be written. */
export async function writeModelFolder(folder: string, contents: ModelFolderContents): Promise<void> {
  const { config, tensors, tokenizer, texts } = contents;
  const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
  const files = {
    'config.json': json(config),
    'tokenizer.json': json(tokenizer.tokenizer),
    'tokenizer_config.json': json(tokenizer.config),
    ...texts,
  };
  try {
    await makeFolder(folder);
    await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
    for (const [name, text] of Object.entries(files)) await writeText(join(folder, name), text);
  } catch (error) {
    if (error instanceof SpexlensError) throw error;
    throw fail('checkpoint', folder, `cannot be written to (${(error as NodeJS.ErrnoException).code}).`);
  }
}
