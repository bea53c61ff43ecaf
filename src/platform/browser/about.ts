/** What runs this, in a page: for records. */

/** The browser by the name that it gives itself: `Chromium 148 on Linux`, else `browser`. */
export function aboutPlatform(): { readonly node?: string; readonly platform: string } {
  const { userAgentData } = navigator as {
    readonly userAgentData?: {
      readonly brands: readonly { readonly brand: string; readonly version: string }[];
      readonly platform: string;
    };
  };
  // one of the brands is made up, so that nobody relies on the list
  const brand = userAgentData?.brands.find((each) => !/not.*brand/i.test(each.brand));
  if (userAgentData === undefined || brand === undefined) return { platform: 'browser' };
  return { platform: `${brand.brand} ${brand.version} on ${userAgentData.platform}` };
}

export function processName(): string {
  return 'page/0';
}

export function processNumber(): number {
  return 0;
}
