/** What machine this is: its processor, and its card as NVIDIA's driver names it. */
import { spawnSync } from 'node:child_process';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import type { Machine } from './record.ts';

export function describeMachine(): Machine {
  const [card = null, driver = null] = nvidia('name,driver_version');
  return {
    platform: `${platform()} ${arch()} ${release()}`,
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    card,
    driver,
  };
}

/** Fields of the first card by nvidia-smi's names; none where there is no nvidia-smi. */
export function nvidia(fields: string): string[] {
  const { status, stdout } = spawnSync('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader,nounits'], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return status === 0
    ? stdout
        .split('\n')[0]
        .split(',')
        .map((field) => field.trim())
    : [];
}
