/** The GPU as WebGPU sees it: Dawn, by the package webgpu, where the machine has something for it to drive. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fail } from '../errors.ts';
import { importPackage } from './runtime.ts';

/**
 * The entry to WebGPU, which is `navigator.gpu` from here on.
 * @throws 'backend' where there is none; with `hardwareOnly` also where no GPU is seen, before a driver is woken.
 */
export async function openGpu({ hardwareOnly }: { readonly hardwareOnly: boolean }): Promise<GPU> {
  if (!hasVulkanLoader())
    throw fail('backend', 'webgpu', 'needs Vulkan, and no loader (libvulkan.so.1) is installed here.');
  if (hardwareOnly && !hasGpuDevice())
    throw fail('backend', 'webgpu', 'finds no GPU (no /dev/dri/renderD*, /dev/nvidia0 or /dev/dxg).');
  const dawn = (await importPackage('webgpu', 'webgpu', '; npm install webgpu brings it, 132 MB')) as {
    create: (flags: string[]) => GPU;
    globals: Record<string, unknown>;
  };
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  const holder = (globalThis as { navigator?: object }).navigator;
  if (holder === undefined) Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  else Object.defineProperty(holder, 'gpu', { value: gpu, configurable: true });
  return gpu;
}

/** Dawn looks for libvulkan.so.1 on Linux and complains on stderr without it; so it is looked for first. */
function hasVulkanLoader(): boolean {
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
function hasGpuDevice(): boolean {
  if (process.platform !== 'linux') return true;
  const render = existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD'));
  return render || existsSync('/dev/nvidia0') || existsSync('/dev/dxg');
}
