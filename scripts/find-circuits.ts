/**
 * Take a transformer apart: which parts act together, how sure that is, and the circuit that remains.
 *
 *     npx tsx scripts/find-circuits.ts [--model FOLDER --prompt TEXT --correct " a" --incorrect " b" ...]
 */
import { guardStreams, terminal } from '../cli/command.ts';
import { circuitsCommand } from '../cli/circuits/main.ts';

guardStreams();
process.exitCode = await circuitsCommand(process.argv.slice(2), terminal);
