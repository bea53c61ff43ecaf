/**
 * What the hub has of a model: the commit that a revision stands for, its files, and which of them are needed: the configuration, the
 * tokenizer's files and one set of weights (weight-files.ts).
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';
import { chooseWeights, isBaseName, noWeights, type WeightChoice } from '../weight-files.ts';
import { isCommit, type HubId } from './hub-id.ts';
import { readBody, request } from './request.ts';
import { type HubSettings } from './settings.ts';

const CONFIGS = ['config.json', 'generation_config.json'];
const TOKENIZERS = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'];
/** What a tokenizer is made of where there is no tokenizer.json. */
const OLD_TOKENIZERS = ['vocab.json', 'merges.txt', 'vocab.txt', 'tokenizer.model'];
/** A repository's description; the largest have thousands of files. */
const LISTING_LIMIT = 64 << 20;

const listing = z.object({ sha: z.string(), siblings: z.array(z.object({ rfilename: z.string() })) });

/** The commit that the revision stands for, and the files at the top of it. */
export async function listFiles(id: HubId, settings: HubSettings): Promise<{ commit: string; files: string[] }> {
  const name = `${id.repo}@${id.revision}`;
  const who = `hub ${name}`;
  const url = `${settings.endpoint}/api/models/${id.repo}/revision/${encodeURIComponent(id.revision)}`;
  const response = await request({ method: 'GET', url, who, id: name, redirects: 'all' }, settings);
  const text = await readBody(response, LISTING_LIMIT, settings, who).catch((error: unknown) => {
    throw error instanceof Error && error.name === 'SpexlensError'
      ? error
      : fail('checkpoint', who, `${settings.endpoint} broke off its answer; try again.`);
  });
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw fail(
      'checkpoint',
      who,
      `${settings.endpoint} answers with something that is not JSON; HF_ENDPOINT should be a hub.`,
    );
  }
  const info = listing.safeParse(raw);
  if (!info.success || !isCommit(info.data.sha))
    throw fail(
      'checkpoint',
      who,
      `${settings.endpoint} answers without a commit and a list of files; HF_ENDPOINT should be a hub.`,
    );
  // Folders of a repository hold other formats; only its top is a model.
  return { commit: info.data.sha, files: info.data.siblings.map(({ rfilename }) => rfilename).filter(isBaseName) };
}

/** The weights, and the small files beside them that are there. @throws 'checkpoint' for what is no model. */
export function neededOf(
  files: readonly string[],
  name: string,
): { readonly choice: WeightChoice; readonly small: readonly string[] } {
  const choice = chooseWeights(files);
  if (!files.includes('config.json') && choice?.format !== 'gguf')
    throw fail(
      'checkpoint',
      `hub ${name}`,
      `has no config.json among its ${files.length} files; it is not a model of transformers.`,
    );
  if (choice === undefined) throw fail('checkpoint', `hub ${name}`, noWeights(files));
  const small = [...CONFIGS, ...TOKENIZERS, ...(files.includes('tokenizer.json') ? [] : OLD_TOKENIZERS)];
  return { choice, small: small.filter((wanted) => files.includes(wanted)) };
}

/** @throws 'checkpoint' naming an index's `who` for a shard that the repository has not. */
export function requireShard(shard: string, files: readonly string[], who: string): void {
  if (!files.includes(shard))
    throw fail(
      'checkpoint',
      who,
      `names the shard ${quote(shard)}, which is not among the repository's ${files.length} files.`,
    );
}

/** Where the hub has a file of a commit. */
export function addressOf(
  { repo }: HubId,
  commit: string,
  file: string,
  { endpoint }: Pick<HubSettings, 'endpoint'>,
): string {
  return `${endpoint}/${repo}/resolve/${commit}/${encodeURIComponent(file)}`;
}
