/** What runs this: for records. */
import { arch, platform, version } from 'node:process';

/** The runtime's version and the machine's kind: `v22.1.0`, `linux x64`. */
export function aboutPlatform(): { readonly node: string; readonly platform: string } {
  return { node: version, platform: `${platform} ${arch}` };
}
