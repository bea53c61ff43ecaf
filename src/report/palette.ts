/**
 * The colours of the report, light and dark, as CSS variables with the light value as fallback.
 *
 * Signed values: blue above zero, burnt orange below, a pair that stays apart under every common colour
 * blindness and in grey print differs by the dash of its lines. Parts of a whole: one violet ramp, light to dark. Lines of many
 * methods: six hues, and dashes from the seventh on.
 * A figure that is shown outside the page (a notebook) has no variables and gets the fallbacks.
 */
const LIGHT = {
  paper: '#ffffff',
  ink: '#1c1d21',
  muted: '#62646c',
  rule: '#d6d7dd',
  faint: '#f4f5f7',
  positive: '#1b5ea8',
  negative: '#ad4a0b',
  onMiddle: '#1c1d21',
  onStrong: '#ffffff',
  ramp1: '#dcdde6',
  ramp2: '#aba5d2',
  ramp3: '#7a6cb4',
  ramp4: '#553f8f',
  ramp5: '#33205c',
  onRamp2: '#1c1d21',
  onRamp3: '#ffffff',
  series1: '#1b5ea8',
  series2: '#ad4a0b',
  series3: '#2a7a3f',
  series4: '#7b3fa0',
  series5: '#a82f5e',
  series6: '#0f7f86',
} as const;

export type ColorName = keyof typeof LIGHT;

const DARK: Readonly<Record<ColorName, string>> = {
  paper: '#15161a',
  ink: '#e7e7ea',
  muted: '#a0a2ab',
  rule: '#373941',
  faint: '#1e2025',
  positive: '#72b2f4',
  negative: '#f2995c',
  onMiddle: '#15161a',
  onStrong: '#15161a',
  ramp1: '#3b3d47',
  ramp2: '#5b5391',
  ramp3: '#8678c4',
  ramp4: '#ada0e4',
  ramp5: '#d6cdfa',
  onRamp2: '#e7e7ea',
  onRamp3: '#15161a',
  series1: '#72b2f4',
  series2: '#f2995c',
  series3: '#7fcb92',
  series4: '#c8a0e6',
  series5: '#f28bb2',
  series6: '#6fcfd4',
};

/** `var(--spex-ink, #1c1d21)`: the colour as CSS. */
export function color(name: ColorName): string {
  return `var(${variable(name)}, ${LIGHT[name]})`;
}

/** Declarations of all variables for one scheme, for the page's root rule. */
export function colorVariables(scheme: 'light' | 'dark'): string {
  return Object.entries(scheme === 'light' ? LIGHT : DARK)
    .map(([name, value]) => `--spex-${kebab(name)}: ${value};`)
    .join(' ');
}

/** Fill and text class of a signed value in [-1, 1]: the stronger it is, the more ink; ties to the paper at 0. */
export function signedInk(relative: number): {
  readonly fill: 'positive' | 'negative';
  readonly opacity: number;
  readonly text: ColorName;
} {
  const opacity = Math.min(1, Math.abs(relative));
  return {
    fill: relative < 0 ? 'negative' : 'positive',
    opacity,
    text: opacity < 0.6 ? 'ink' : opacity < 0.82 ? 'onMiddle' : 'onStrong',
  };
}

function variable(name: ColorName): string {
  return `--spex-${kebab(name)}`;
}

function kebab(name: string): string {
  return name.replace(/[A-Z0-9]/g, (letter) => `-${letter.toLowerCase()}`);
}
