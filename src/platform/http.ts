/** How requests to the hub are sent: redirects followed by hand, with headers of our own. */
export const REDIRECT: 'manual' | 'follow' = 'manual';
export const OWN_HEADERS: Readonly<Record<string, string>> = {
  'user-agent': 'spexlens',
  'accept-encoding': 'identity',
};
/** What gives requests a token, or a certain one. */
export const giveToken = (which?: string): string =>
  which === undefined ? 'set HF_TOKEN' : `set HF_TOKEN to ${which}`;
/** What helps where the hub cannot be reached. */
export const offlineAdvice = (cacheDir: string): string => `, or set HF_HUB_OFFLINE=1 to use what is in ${cacheDir}`;
