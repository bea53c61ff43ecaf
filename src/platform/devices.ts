/** What a machine has for GPUs to be driven by, looked for without waking a driver. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Dawn looks for libvulkan.so.1 on Linux and complains on stderr without it; so it is looked for first. */
export function hasVulkanLoader(): boolean {
  if (process.platform !== 'linux') return true;
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const given = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return [
    ...given,
    `/usr/lib/${triplet}`,
    `/lib/${triplet}`,
    '/usr/lib64',
    '/lib64',
    '/usr/lib',
    '/usr/local/lib',
  ].some((folder) => existsSync(join(folder, 'libvulkan.so.1')));
}

/** Drivers without a device talk on stderr before they say no; so the device is looked for first. */
export function hasGpuDevice(): boolean {
  if (process.platform !== 'linux') return true;
  const render = existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD'));
  return render || existsSync('/dev/nvidia0') || existsSync('/dev/dxg');
}
