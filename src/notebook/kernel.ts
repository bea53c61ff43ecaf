/** The notebook kernel that this runs in, as far as something is drawn through it: Deno's. */
import type { MimeBundle } from '../showing.ts';

export interface Kernel {
  /** Draws below the cell; with an id that was drawn before, in its place. */
  draw(bundle: MimeBundle, id?: string): Promise<void>;
}

interface DenoJupyter {
  readonly broadcast: (type: string, content: object) => Promise<void>;
}

/** Undefined outside a notebook, and in kernels that say nothing of themselves. */
export function currentKernel(): Kernel | undefined {
  const { Deno } = globalThis as { readonly Deno?: { readonly jupyter?: DenoJupyter } };
  let jupyter: DenoJupyter | undefined;
  try {
    jupyter = Deno?.jupyter;
  } catch {
    return undefined; // Deno throws where it runs no notebook
  }
  if (jupyter === undefined) return undefined;
  const { broadcast } = jupyter;
  const drawn = new Set<string>();
  return {
    async draw(data, id) {
      const type = id !== undefined && drawn.has(id) ? 'update_display_data' : 'display_data';
      if (id !== undefined) drawn.add(id);
      await broadcast(type, { data, metadata: {}, transient: id === undefined ? {} : { display_id: id } });
    },
  };
}
