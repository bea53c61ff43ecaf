/**
 * What is known of a compiled program, as the truth.json of its folder says it.
 */
import { z } from 'zod';
import { fail } from '../errors.ts';
import type { CompiledProgram } from './compile.ts';
import type { Truth } from './truth.ts';

const byKind = z.strictObject({
  zero: z.array(z.string()),
  mean: z.array(z.string()),
  resample: z.array(z.string()),
});
const schema = z.strictObject({
  program: z.string(),
  about: z.string(),
  vocabulary: z.array(z.union([z.string(), z.number(), z.boolean()])),
  maxLength: z.int().min(1),
  causal: z.boolean(),
  /** Whether an answer is one of finitely many values, whose columns of the logits are their token ids, or the number in the only column. */
  encoding: z.enum(['categorical', 'numerical']),
  /** The heads and MLPs that compute something, and what: all others are zero. */
  parts: z.array(z.strictObject({ name: z.string(), computes: z.array(z.string()) })),
  /** True edges and nodes by kind of ablation, by EAP-IG's names; what the table of positions writes is `positions->...`. */
  edges: byKind,
  nodes: byKind,
});

/** The circuit of a compiled program as its truth.json has it. */
export type KnownCircuit = z.infer<typeof schema>;

/** What truth.json says of a program. */
export function knownCircuitOf(compiled: CompiledProgram, truth: Truth, name: string, about: string): KnownCircuit {
  const lists = (of: Truth['edges']): KnownCircuit['edges'] => ({
    zero: [...of.zero],
    mean: [...of.mean],
    resample: [...of.resample],
  });
  return {
    program: name,
    about,
    vocabulary: [...compiled.vocabulary],
    maxLength: compiled.maxLength,
    causal: compiled.causal,
    encoding: compiled.encoding,
    parts: compiled.parts.map((part) => ({ name: part.name, computes: part.computes.map(({ label }) => label) })),
    edges: lists(truth.edges),
    nodes: lists(truth.parts),
  };
}

/** Reads a truth.json. @throws 'input' naming the first field that is wrong. */
export function parseKnownCircuit(json: unknown, who = 'truth.json'): KnownCircuit {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fail('input', who, `${issue.path.map(String).join('.') || 'the file'}: ${issue.message}.`);
}
