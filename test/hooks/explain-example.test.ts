/** The chapter "What a cache explains" of docs/hooks.md shows what its example prints. */
import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

it('prints what docs/hooks.md shows', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    await import('../../examples/explain-cache.ts');
    const printed = log.mock.calls.map((words) => words.map(String).join(' ')).join('\n');
    const chapter = readFileSync('docs/hooks.md', 'utf8').split('## What a cache explains')[1];
    expect(printed.length).toBeGreaterThan(300);
    expect(chapter.split('```')[3].trim()).toBe(printed);
  } finally {
    log.mockRestore();
  }
});
