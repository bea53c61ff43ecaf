/**
 * Writes the JSON Schemas of what a run leaves behind, schema/*.json, from the schemas that the program itself reads by.
 *
 *     npx tsx scripts/build-schemas.ts
 *
 * A test holds that the committed files are these.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { runLogLine } from '../src/measure/run-log-schema.ts';
import { comparisonSchema } from '../src/report/comparison-record.ts';
import { patchSchema } from '../src/report/patch-record.ts';
import { resultSchema } from '../src/report/result-schema.ts';
import { fromRoot } from '../cli/package-root.ts';

/** By file name, the text of the schema. */
export function schemaFiles(): Readonly<Record<string, string>> {
  const text = (title: string, description: string, schema: z.ZodType): string =>
    `${JSON.stringify({ title, description, ...z.toJSONSchema(schema, { target: 'draft-2020-12' }) }, null, 2)}\n`;
  return {
    'result.schema.json': text('result.json', 'What a run of spexlens found, spexlens.result/3.', resultSchema),
    'patch.schema.json': text('patch.json', 'Patching sweeps, spexlens.patch/1.', patchSchema),
    'comparison.schema.json': text(
      'comparison.json',
      'Circuit finders beside each other, spexlens.comparison/1.',
      comparisonSchema,
    ),
    'run-log.schema.json': text('A line of run-log.jsonl', 'Measured values, run-log/2.', runLogLine),
  };
}

if (import.meta.filename === process.argv[1]) {
  mkdirSync(fromRoot('schema'), { recursive: true });
  for (const [name, text] of Object.entries(schemaFiles())) writeFileSync(fromRoot(`schema/${name}`), text);
}
