/** A vocabulary object as a map; every own key is a word, `__proto__` too. */
export function vocabularyOf(vocab: Readonly<Record<string, number>>): Map<string, number> {
  const ids = new Map<string, number>();
  for (const word of Object.keys(vocab)) ids.set(word, vocab[word]);
  return ids;
}
