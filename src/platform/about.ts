/** What runs this: for records. */
import { hostname } from 'node:os';
import { arch, pid, platform, version } from 'node:process';

/** The runtime's version (`v22.1.0`) where it is Node, and the machine's kind: `linux x64`. */
export function aboutPlatform(): { readonly node?: string; readonly platform: string } {
  return { node: version, platform: `${platform} ${arch}` };
}

/** Who this process is among those of many machines: `gpu-3/12345`. */
export function processName(): string {
  return `${hostname()}/${pid}`;
}

/** The number of this process on its machine. */
export function processNumber(): number {
  return pid;
}
