/** What runs this: for records. */
import { hostname } from 'node:os';
import { arch, pid, platform, version } from 'node:process';

/** The runtime's version and the machine's kind: `v22.1.0`, `linux x64`. */
export function aboutPlatform(): { readonly node: string; readonly platform: string } {
  return { node: version, platform: `${platform} ${arch}` };
}

/** Who this process is among those of many machines: `gpu-3/12345`. */
export function processName(): string {
  return `${hostname()}/${pid}`;
}
