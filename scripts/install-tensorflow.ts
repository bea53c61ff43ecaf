/**
 * Put the TensorFlow backend in place: @tensorflow/tfjs-node-gpu with a libtensorflow that can be had today.
 *
 *     npx tsx scripts/install-tensorflow.ts [--cuda | --dry-run | --undo ...]
 */
import { guardStreams, terminal } from '../cli/command.ts';
import { installTensorflowCommand } from '../cli/install-tensorflow/main.ts';

guardStreams();
process.exitCode = await installTensorflowCommand(process.argv.slice(2), terminal);
