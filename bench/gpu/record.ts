/**
 * What `bench/gpu.ts` measures, as data: a flat list of entries, in the order in which they were measured, and how each section
 * ended. A section that was stopped has given what it had; nothing is filled in.
 */
import type { Tile } from '../../src/backend/webgpu/tiled-product.ts';

/** Whose matrix products a forward pass had: TensorFlow.js's, or tiles of ours (src/backend/webgpu/tiles.ts). */
export type ProductKind = 'backend' | 'tiles';

export type Entry =
  | {
      readonly kind: 'adapter';
      readonly backend: string;
      readonly device: string;
      readonly gpu: boolean;
      readonly selfCheckError: number;
      readonly versions: Readonly<Record<string, string>>;
      readonly limits: Readonly<Record<string, number>>;
      readonly features: readonly string[];
    }
  | { readonly kind: 'absent'; readonly what: string; readonly why: string }
  /** A claim, the largest error found and the one that is allowed; how many cases. */
  | {
      readonly kind: 'check';
      readonly claim: string;
      readonly error: number;
      readonly allowed: number;
      readonly cases: number;
    }
  | {
      readonly kind: 'product';
      /** [rows, inner, width] */
      readonly shape: readonly [number, number, number];
      readonly by: string;
      readonly tile: Tile | null;
      readonly gflops: number;
    }
  /** The masked engine. */
  | {
      readonly kind: 'rows';
      readonly model: string;
      readonly backend: string;
      readonly products: ProductKind | 'stock';
      readonly length: number;
      readonly players: string;
      readonly batch: number;
      readonly masks: number;
      readonly rowsPerSecond: number;
      /** What was really multiplied for a row, and what a whole forward pass of one would. */
      readonly flopsPerRow: number;
      readonly fullFlopsPerRow: number;
      /** The part of the time that this thread spent inside kernel calls: near 1, the device waits for it. */
      readonly launching: number;
      readonly deviceBytes: number;
    }
  /** Of the masks that PyTorch measures too (torch.ts). */
  | { readonly kind: 'values'; readonly model: string; readonly length: number; readonly values: readonly number[] }
  | { readonly kind: 'readback'; readonly backend: string; readonly medianMs: number; readonly worstMs: number }
  /** One kind of call in one forward pass of a batch, run again by itself. */
  | {
      readonly kind: 'kernel';
      readonly model: string;
      readonly length: number;
      readonly batch: number;
      readonly products: ProductKind | 'stock';
      readonly name: string;
      readonly shapes: string;
      readonly calls: number;
      readonly msEach: number;
    }
  | {
      readonly kind: 'circuits';
      readonly model: string;
      readonly backend: string;
      readonly players: number;
      readonly masks: number;
      readonly seconds: number;
      readonly measuring: number;
    }
  | {
      readonly kind: 'torch';
      readonly model: string;
      readonly card: string;
      readonly way: string;
      readonly precision: 'float32' | 'tf32';
      readonly length: number;
      readonly players: string;
      readonly batch: number;
      readonly rowsPerSecond: number;
      /** Largest difference of a value from ours, relative to max(1, |value|); null where values were not compared. */
      readonly difference: number | null;
    }
  | {
      readonly kind: 'torch-product';
      readonly card: string;
      readonly precision: 'float32' | 'tf32';
      readonly shape: readonly [number, number, number];
      readonly gflops: number;
    };

export interface SectionEnd {
  readonly name: string;
  readonly seconds: number;
  readonly ended: 'whole' | 'cut' | 'failed';
  readonly why: string;
}

export interface GpuReport {
  readonly schema: 'spexlens-gpu-1';
  readonly startedAt: string;
  readonly machine: Machine;
  readonly sections: readonly SectionEnd[];
  readonly entries: readonly (Entry & { readonly section: string })[];
}

export interface Machine {
  readonly platform: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** As nvidia-smi has it; null where there is none. */
  readonly card: string | null;
  readonly driver: string | null;
}
