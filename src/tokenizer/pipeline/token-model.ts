/** What every model is to the pipeline: a vocabulary, and pieces of text to tokens. */
export interface ModelToken {
  /** undefined for what the vocabulary does not know, in a model without an unknown token. */
  readonly id: number | undefined;
  readonly unknown: boolean;
  /** [start, end) in characters of the piece. */
  readonly start: number;
  readonly end: number;
}
export interface TokenModel {
  readonly kind: 'BPE' | 'Unigram' | 'WordPiece' | 'WordLevel';
  readonly ids: ReadonlyMap<string, number>;
  /** The unknown token's id. */
  readonly unkId: number | undefined;
  tokenize(codes: readonly number[]): ModelToken[];
}
