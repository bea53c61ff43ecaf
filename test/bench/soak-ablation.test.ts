/** The soak run in small: killed for real, resumed, and nothing measured twice. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

describe('soak-ablation', () => {
  it('goes on after SIGKILL from what the log holds, without measuring a mask twice or keeping a tensor', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      'bench/soak-ablation.ts',
      '--masks',
      '6000',
      '--kill-at',
      '0.2',
    ]);
    const killed = Number(/killed with (\d+) of 6000/.exec(stdout)?.[1]);
    expect(killed).toBeGreaterThan(0);
    expect(killed).toBeLessThan(6000);
    expect(stdout).toContain(`went on: ${killed} from the log, ${6000 - killed} measured`);
    expect(stdout).toContain('6000 lines, 6000 masks');
    expect(stdout).toContain('0 left when all was disposed');
  }, 120_000);
});
