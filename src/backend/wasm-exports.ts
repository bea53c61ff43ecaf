/** What the WebAssembly module of wasm/tensors exports. */

/** Addresses and sizes are of the memory; counts are whole numbers. wasm/tensors says what each argument is. */
export interface TensorModule {
  readonly linear: (
    x: number,
    w: number,
    bias: number,
    residual: number,
    residualRows: number,
    out: number,
    rows: number,
    inner: number,
    columns: number,
    activation: number,
    scratch: number,
  ) => void;
  readonly linearScratch: () => number;
  readonly norm: (
    x: number,
    w: number,
    b: number,
    out: number,
    rows: number,
    width: number,
    eps: number,
    offset: number,
    centred: boolean,
  ) => void;
  readonly pointwise: (
    x: number,
    out: number,
    size: number,
    bias: number,
    factor: number,
    onto: number,
    activation: number,
  ) => void;
  readonly attention: (
    q: number,
    k: number,
    v: number,
    mask: number,
    maskBatch: number,
    out: number,
    batch: number,
    queries: number,
    keys: number,
    heads: number,
    groups: number,
    width: number,
    scale: number,
    softcap: number,
    live: number,
    scratch: number,
  ) => void;
  readonly attentionScratch: (queries: number, keys: number, width: number) => number;
  readonly pathAttention: (
    q: number,
    k: number,
    v: number,
    paths: number,
    longest: number,
    spans: number,
    count: number,
    seen: number,
    out: number,
    heads: number,
    groups: number,
    width: number,
    scale: number,
    softcap: number,
    scratch: number,
  ) => void;
  readonly pathAttentionScratch: (keys: number, width: number) => number;
  readonly toHeads: (
    x: number,
    w: number,
    bias: number,
    live: number,
    out: number,
    batch: number,
    span: number,
    inner: number,
    heads: number,
    width: number,
    scratch: number,
  ) => void;
  readonly fromHeads: (
    z: number,
    w: number,
    bias: number,
    residual: number,
    residualRows: number,
    live: number,
    out: number,
    batch: number,
    span: number,
    heads: number,
    width: number,
    columns: number,
    scratch: number,
  ) => void;
  readonly headsScratch: () => number;
  readonly maskRows: (
    x: number,
    single: boolean,
    parents: number,
    factors: number,
    factorPositions: number,
    base: number,
    basePositions: number,
    out: number,
    rows: number,
    positions: number,
    elements: number,
    width: number,
  ) => void;
  readonly backLinear: (
    dy: number,
    w: number,
    dx: number,
    rows: number,
    inner: number,
    columns: number,
    scratch: number,
  ) => void;
  readonly backLinearScratch: () => number;
  readonly backNorm: (
    x: number,
    w: number,
    dy: number,
    dx: number,
    rows: number,
    width: number,
    eps: number,
    offset: number,
    centred: boolean,
  ) => void;
  readonly backPointwise: (
    x: number,
    up: number,
    dy: number,
    dx: number,
    dup: number,
    size: number,
    activation: number,
  ) => void;
  readonly backAttention: (
    q: number,
    k: number,
    v: number,
    mask: number,
    maskBatch: number,
    dz: number,
    dq: number,
    dk: number,
    dv: number,
    batch: number,
    queries: number,
    keys: number,
    heads: number,
    groups: number,
    width: number,
    scale: number,
    softcap: number,
    scratch: number,
  ) => void;
  readonly backAttentionScratch: (queries: number, keys: number, width: number) => number;
  readonly maskSlopes: (
    x: number,
    single: boolean,
    base: number,
    basePositions: number,
    dy: number,
    out: number,
    rows: number,
    positions: number,
    factorPositions: number,
    elements: number,
    width: number,
  ) => void;
  readonly turn: (
    x: number,
    cos: number,
    sin: number,
    out: number,
    batch: number,
    positions: number,
    heads: number,
    width: number,
    dims: number,
    tableBatch: number,
  ) => void;
  readonly softmaxErrors: (
    logits: number,
    right: number,
    coefficients: number,
    p: number,
    errors: number,
    rows: number,
    classes: number,
  ) => void;
  readonly sumRows: (x: number, out: number, rows: number, columns: number) => void;
  readonly transpose: (x: number, out: number, rows: number, columns: number) => void;
  readonly momentumStep: (
    theta: number,
    velocity: number,
    gradient: number,
    nextTheta: number,
    nextVelocity: number,
    size: number,
    momentum: number,
    decay: number,
    rate: number,
  ) => void;
  readonly multiplyAddOne: (a: number, b: number, c: number) => number;
}
