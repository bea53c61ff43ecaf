/**
 * Take a transformer apart: which parts act together, how sure that is, and the circuit that remains.
 *
 *     npx tsx scripts/find-circuits.ts [--model FOLDER --prompt TEXT --correct " a" --incorrect " b" ...]
 */
import { terminal } from '../cli/command.ts';
import { findCircuitsCommand } from '../cli/circuits/main.ts';

process.exitCode = await findCircuitsCommand(process.argv.slice(2), terminal);
