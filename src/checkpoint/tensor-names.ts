/**
 * Names of tensors as people's tools leave them, brought back to the model's own, each change said in a note.
 *
 * DataParallel, torch.compile, PEFT and TRL put a prefix before every name; training scripts put their own. A known
 * prefix is taken off when most tensors have it, another one when everything the model needs is under it. Tensors of
 * an adapter that was not merged are refused: the numbers without them are not the tuned model's.
 */
import { fail } from '../errors.ts';
import { quote } from './strict-json.ts';
import type { Checkpoint } from './tensor-source.ts';

/** DataParallel, torch.compile, PEFT, TRL's value-head models. */
const WRAPPERS = ['module.', '_orig_mod.', 'base_model.model.', 'pretrained_model.'];
/** PEFT's adapters by the names of their tensors. */
const ADAPTERS = /(^|\.)(lora_|ia3_|hada_|vera_|oft_|boft_|base_layer\.|lokr_)/;

export interface Renamed {
  readonly checkpoint: Checkpoint;
  /** What was changed, one sentence each. */
  readonly notes: readonly string[];
}

/** Takes known wrappers off, however many there are. @throws 'checkpoint' when an adapter's tensors are there. */
export function withoutWrappers(checkpoint: Checkpoint): Renamed {
  const names = [...checkpoint.tensors.keys()];
  const adapters = names.filter((name) => ADAPTERS.test(name));
  if (adapters.length > 0)
    throw fail(
      'checkpoint',
      `checkpoint ${checkpoint.folder}`,
      `holds ${adapters.length} tensors of an adapter that was not merged, the first ${quote(adapters[0])}: without it the numbers are not the tuned model's; merge it (PEFT: merge_and_unload()) and save again.`,
    );
  let stripped = '';
  let current = checkpoint;
  for (;;) {
    const keys = [...current.tensors.keys()];
    const wrapper = WRAPPERS.find((one) => 2 * keys.filter((key) => key.startsWith(one)).length > keys.length);
    if (wrapper === undefined) break;
    stripped += wrapper;
    current = withoutPrefix(current, wrapper);
  }
  const notes = stripped === '' ? [] : [`the tensors' names begin with ${quote(stripped)}, which was taken off`];
  return { checkpoint: current, notes };
}

/**
 * The prefix before every one of `needed` in `names`, when some are missing as they are; undefined when there is none,
 * and when all are there.
 */
export function foreignPrefix(names: ReadonlySet<string>, needed: readonly string[]): string | undefined {
  const missing = needed.find((name) => !names.has(name));
  if (missing === undefined) return undefined;
  for (const name of names) {
    if (!name.endsWith(`.${missing}`)) continue;
    const prefix = name.slice(0, -missing.length);
    if (needed.every((one) => names.has(prefix + one))) return prefix;
  }
  return undefined;
}

/** The checkpoint with `prefix` taken off the names that begin with it, unless that would make two of one name. */
export function withoutPrefix(checkpoint: Checkpoint, prefix: string): Checkpoint {
  return renamed(checkpoint, (name, taken) => {
    const short = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    return short !== name && (short === '' || taken.has(short)) ? name : short;
  });
}

/** A head that another class of the same architecture names differently (a Pythia saved with `lm_head`). */
export function withHeadNamed(checkpoint: Checkpoint, wanted: string, given: string): Renamed {
  if (checkpoint.tensors.has(wanted) || !checkpoint.tensors.has(given)) return { checkpoint, notes: [] };
  return {
    checkpoint: renamed(checkpoint, (name) => (name === given ? wanted : name)),
    notes: [`the head is called ${quote(given)} in the file and was read as ${quote(wanted)}`],
  };
}

function renamed(checkpoint: Checkpoint, rename: (name: string, taken: ReadonlySet<string>) => string): Checkpoint {
  const taken = new Set(checkpoint.tensors.keys());
  const originals = new Map([...taken].map((name) => [rename(name, taken), name]));
  const originalOf = (name: string): string => originals.get(name) ?? name;
  return {
    ...checkpoint,
    tensors: new Map([...originals].map(([name, original]) => [name, checkpoint.tensors.get(original)!])),
    read: async (name, into) => checkpoint.read(originalOf(name), into),
    readIntegers: async (name) => checkpoint.readIntegers(originalOf(name)),
  };
}
