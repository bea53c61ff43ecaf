/** Texts that must come out as text: markup, quotes, control and direction characters, broken and wide Unicode. */
export const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</title></style></svg><svg onload=alert(1)>',
  '<!--',
  ']]>&lt;&#x3c;&amp;',
  '\u001b[31mred\u001b[0m\u0007\u0000',
  '\u202Eevil\u2066\u2028line',
  '\ud800 lone surrogate',
  '日本語のとても長いトークンの名前です 👩‍👩‍👧‍👦🏳️‍🌈',
  'https://example.invalid/a?b=c&d="e"',
  `${'W'.repeat(300)}`,
  '`${process}`',
  'url(https://example.invalid/x)',
] as const;
