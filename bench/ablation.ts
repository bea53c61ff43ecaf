/**
 * Ablated forward passes per second: a loop of hooked runs, hooks on a batch, and the game, on the backends of this machine.
 *
 *     npx tsx bench/ablation.ts [--model gpt2-small --backends wasm,tensorflow --compare python] [--json FILE] [--picture FILE]
 *
 * A row is one mask on one prompt; the value is a logit difference. Every way runs in a process of its own on the same masks,
 * every round visits all, and their values must agree. `--help` lists the rest.
 */
import { benchAblationCommand } from './ablation/main.ts';
import { terminal } from '../cli/command.ts';

process.exitCode = await benchAblationCommand(process.argv.slice(2), terminal);
