/**
 * A tokenizer object of `@xenova/transformers`, used as it is: its ids, our policies.
 *
 * For those who have one already. The library cuts the texts; it gives no offsets, and it is right only where
 * docs/tokenizers.md says so. It is never imported here: the object that was passed is all there is of it.
 */
import { fail } from '../errors.ts';
import type { Engine } from './engine.ts';

/** The library's tokenizer class, as far as it is used. */
export interface PeerTokenizer {
  readonly model: {
    readonly vocab: readonly string[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number;
  };
  readonly all_special_ids: readonly number[];
  readonly _tokenizer_config?: object;
  encode(text: string, pair: null, options: { readonly add_special_tokens: boolean }): (number | undefined)[];
  decode(
    ids: number[],
    options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces: boolean },
  ): string;
}

/** Whether `value` is a tokenizer object rather than the content of a file. */
export function isPeerTokenizer(value: object): value is PeerTokenizer {
  const given = value as Partial<PeerTokenizer>;
  return (
    typeof given.encode === 'function' &&
    typeof given.decode === 'function' &&
    Array.isArray(given.model?.vocab) &&
    given.model.tokens_to_ids instanceof Map
  );
}

export function peerEngine(peer: PeerTokenizer, who: string): Engine {
  const { vocab, tokens_to_ids: ids, unk_token_id: unkId } = peer.model;
  return {
    tokens: vocab,
    ids,
    unkId,
    wordLevel: false,
    offsets: false,
    added: [],
    special: new Set(peer.all_special_ids),
    encode: (text, template) =>
      strictly(who, () => peer.encode(text, null, { add_special_tokens: template })).map((id) => ({
        id,
        unknown: id === undefined || id === unkId,
        text: id === undefined ? '' : vocab[id],
        offsets: [0, 0],
      })),
    decode: (list, special) => {
      if (list.length === 0) return '';
      const options = { skip_special_tokens: !special, clean_up_tokenization_spaces: false };
      return strictly(who, () => peer.decode([...list], options));
    },
  };
}

/** Runs `work` with the library's errors as ours. */
function strictly<T>(who: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 200);
    throw fail('input', who, `the tokenizer object that was passed failed (${why}); pass the files' contents instead.`);
  }
}
