/**
 * SentencePiece's BPE as merges: what a tokenizer.json needs and a GGUF file does not list.
 *
 * SentencePiece joins the neighbours whose joined piece has the best score; merges say the same pair by pair. A piece
 * gives one merge for each way to cut it into two pieces of the vocabulary; better pieces come first, and of one
 * piece's the longer left part. So do transformers' `generate_merges` and the tokenizer.json files of Llama 2 and Gemma.
 */

/**
 * The merges of a vocabulary, best first.
 *
 * @param ids token -> id; @param scores by id, higher joins earlier.
 */
export function mergesOf(ids: ReadonlyMap<string, number>, scores: ArrayLike<number>): [string, string][] {
  const pieces = [...ids].sort(([, a], [, b]) => scores[b] - scores[a] || a - b);
  const merges: [string, string][] = [];
  for (let from = 0; from < pieces.length; ) {
    const score = scores[pieces[from][1]];
    let to = from + 1;
    while (to < pieces.length && scores[pieces[to][1]] === score) to++;
    const cuts = pieces.slice(from, to).flatMap(([piece]) => cutsOf(piece, ids));
    // Pieces of one score take turns by the lengths of their parts; alone, a piece's cuts are in order already.
    if (to - from > 1) cuts.sort((a, b) => length(b[0]) - length(a[0]) || length(b[1]) - length(a[1]));
    merges.push(...cuts);
    from = to;
  }
  return merges;
}

/** The ways to cut `piece` into two pieces, longer left part first. */
function cutsOf(piece: string, ids: ReadonlyMap<string, number>): [string, string][] {
  const cuts: [string, string][] = [];
  for (let at = piece.length - 1; at > 0; at--) {
    const left = piece.slice(0, at);
    if (!ids.has(left)) continue;
    const right = piece.slice(at);
    if (ids.has(right)) cuts.push([left, right]);
  }
  return cuts;
}

/** In code points, as Python counts. */
function length(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
