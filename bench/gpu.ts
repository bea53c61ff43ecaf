/**
 * How fast and how right spexlens is on this machine's GPU, beside PyTorch on the same card: one command, one JSON file and
 * one Markdown page. docs/gpu.md says how to carry it to a machine without a network.
 *
 *   npx tsx bench/gpu.ts            everything, about 15 minutes
 *   npx tsx bench/gpu.ts --quick    the same in at most 6
 */
import { terminal } from '../cli/command.ts';
import { benchGpuCommand } from './gpu/main.ts';

process.exitCode = await benchGpuCommand(process.argv.slice(2), terminal);
