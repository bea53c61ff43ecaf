/**
 * Which model a checkpoint is: its family, its record, and its tensors under the names that the family reads.
 *
 * Checkpoints people really have differ from the plain ones: wrapped names, a head of another name, layers beyond the
 * configuration, heads for other tasks. What is found is said in notes; what would give wrong numbers is refused.
 */
import { fail } from '../../errors.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { quote } from '../../checkpoint/strict-json.ts';
import { foreignPrefix, withHeadNamed, withoutPrefix, withoutWrappers } from '../../checkpoint/tensor-names.ts';
import type { ModelConfig } from '../config.ts';
import type { Family } from '../families/family.ts';
import { familyOf } from '../families/families.ts';
import { frequencies } from '../forward/rotary.ts';
import { requireLayers } from './read-parameters.ts';

export interface Interpreted {
  /** Under the family's names. */
  readonly checkpoint: Checkpoint;
  readonly family: Family;
  readonly config: ModelConfig;
  /** What the user should know about how the file was read, one sentence each. */
  readonly notes: readonly string[];
}

/** @throws 'checkpoint' when no family reads it, or its numbers would not be the model's. */
export function interpretCheckpoint(opened: Checkpoint): Interpreted {
  const family = familyOf(opened.config);
  requireLayers(opened);
  const unwrapped = withoutWrappers(opened);
  const headed = [...unwrapped.checkpoint.tensors.keys()].some((name) => name.startsWith('gpt_neox.'))
    ? withHeadNamed(unwrapped.checkpoint, 'embed_out.weight', 'lm_head.weight')
    : { checkpoint: unwrapped.checkpoint, notes: [] };
  const notes = [...(opened.notes ?? []), ...unwrapped.notes, ...headed.notes];
  let { checkpoint } = headed;
  const read = (): { names: Set<string>; config: ModelConfig; needed: string[] } => {
    const names = new Set(checkpoint.tensors.keys());
    const config = family.readConfig(checkpoint.config, names);
    return { names, config, needed: family.sources(config, names, checkpoint.config).map(({ tensor }) => tensor) };
  };
  let found = read();
  const prefix = foreignPrefix(found.names, found.needed);
  if (prefix !== undefined) {
    checkpoint = withoutPrefix(checkpoint, prefix);
    notes.push(`the tensors' names begin with ${quote(prefix)}, which was taken off`);
    found = read();
  }
  requireFiniteRotary(found.config);
  notes.push(...notesOnTensors(found, family, checkpoint));
  return { checkpoint, family, config: found.config, notes };
}

/** A base of 1e-320 or a scaling factor of 1e-300 is a number and gives angles that are none. */
function requireFiniteRotary({ rotary }: ModelConfig): void {
  for (const one of new Set(rotary)) {
    const all = frequencies(one);
    const odd = all.findIndex((frequency) => !(Number.isFinite(frequency) && frequency > 0));
    if (odd < 0) continue;
    const scaling = one.scaling === undefined ? '' : ` and scaling ${JSON.stringify(one.scaling)}`;
    throw fail(
      'checkpoint',
      'config.json',
      `rope_theta ${one.theta}${scaling} give rotary frequency ${odd} of ${all.length} the value ${all[odd]} in float32; it must be positive and finite.`,
    );
  }
}

function notesOnTensors(
  { names, config, needed }: { names: ReadonlySet<string>; config: ModelConfig; needed: readonly string[] },
  family: Family,
  { config: raw }: Checkpoint,
): string[] {
  const used = new Set(needed);
  const patterns = new Set(needed.map(withoutLayer));
  const unused = [...names].filter((name) => !used.has(name) && !family.isBuffer(name));
  const beyond = unused.filter((name) => patterns.has(withoutLayer(name)) && layerOf(name) >= config.nLayers);
  const others = unused.filter((name) => !beyond.includes(name));
  const notes: string[] = [];
  const head = needed.find((name) => /(^|\.)(lm_head|embed_out)\.weight$/.test(name));
  if (raw['tie_word_embeddings'] === true && head !== undefined)
    notes.push(
      `config.json ties the unembedding to the embedding, and the file has its own ${quote(head)}, which is used`,
    );
  if (beyond.length > 0) {
    const layers = new Set(beyond.map(layerOf));
    notes.push(
      `the file has ${config.nLayers + layers.size} layers and config.json ${config.nLayers}; ${beyond.length} tensors from layer ${Math.min(...layers)} on are not used`,
    );
  }
  if (others.length > 0) {
    const shown = others.slice(0, 4).map(quote).join(', ');
    const more = others.length > 4 ? ` and ${others.length - 4} more` : '';
    notes.push(`no part of this model reads ${shown}${more}`);
  }
  return notes;
}

const LAYER = /(^|\.)(\d+)(?=\.)/;
function withoutLayer(name: string): string {
  return name.replace(LAYER, '$1#');
}
function layerOf(name: string): number {
  return Number(LAYER.exec(name)?.[2] ?? -1);
}
