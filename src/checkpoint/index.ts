/** spexlens/checkpoint: bytes to arrays. Loads no TensorFlow.js. */
export { openCheckpoint, type Checkpoint } from './checkpoint.ts';
export { type HubOptions, type HubProgress } from './hub/settings.ts';
export { openSafetensors } from './safetensors.ts';
export { writeSafetensors, type TensorToWrite } from './safetensors-write.ts';
export { openTorchFile } from './torch/torch-file.ts';
