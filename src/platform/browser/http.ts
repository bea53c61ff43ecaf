/** How a page's requests to the hub are sent: a browser hides redirects, and sets these headers itself. It hands no token on to other origins. */
export const REDIRECT: 'manual' | 'follow' = 'follow';
export const OWN_HEADERS: Readonly<Record<string, string>> = {};
export const giveToken = (which?: string): string =>
  which === undefined ? 'pass { hub: { token } }' : `pass ${which} as { hub: { token } }`;
export const offlineAdvice = (_cacheDir: string): string => '';
