/** How requests to the hub are sent: redirects followed by hand, with headers of our own. */
export const REDIRECT: 'manual' | 'follow' = 'manual';
export const OWN_HEADERS: Readonly<Record<string, string>> = {
  'user-agent': 'spexlens',
  'accept-encoding': 'identity',
};
