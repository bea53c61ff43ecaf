/**
 * Writes models as the forward pass holds them, for make-gradients.py: config.json (the record that drives the pass) and
 * model.safetensors (float32 parameters under their canonical names).
 *
 *     npx tsx test/golden/write-canonical.ts <out folder> <model folder>...
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { writeSafetensors, type TensorToWrite } from '../../src/checkpoint/safetensors-write.ts';
import { loadModel } from '../../src/model/model.ts';
import { float32Parameters } from '../../src/model/weights/parameters.ts';
import { openBackend } from '../../src/open-backend.ts';

const [out, ...folders] = process.argv.slice(2);
await openBackend('wasm');
for (const folder of folders) {
  const model = await loadModel(folder);
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, tensor] of Object.entries(float32Parameters(model.parameters, 'write-canonical')))
    tensors[name] = { shape: tensor.shape, data: (await tensor.data()) as Float32Array };
  const to = join(out, basename(folder));
  mkdirSync(to, { recursive: true });
  await writeSafetensors(join(to, 'model.safetensors'), tensors);
  writeFileSync(join(to, 'config.json'), JSON.stringify(model.config));
  model[Symbol.dispose]();
}
