/** A process that runs one section (sections.ts) and sends its entries to the one that started it. */
import { runSection, type SectionSpec } from './sections.ts';

process.on('disconnect', () => process.exit(1));
runSection(JSON.parse(process.argv[2]) as SectionSpec, (entry) => void process.send?.({ entry })).then(
  ({ cut }) => process.send?.({ cut }, () => process.exit(0)),
  (error: unknown) =>
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, () =>
      process.exit(1),
    ),
);
