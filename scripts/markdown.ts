/** Programs in documents: the code blocks of a Markdown text. */

/** The blocks fenced as \`\`\`language, in order, each with its last newline. */
export function blocksOf(markdown: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm');
  return [...markdown.matchAll(fence)].map(([, block]) => block);
}
