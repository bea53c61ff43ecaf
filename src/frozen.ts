/** A parsed JSON type whose records and arrays are readonly all the way down, so that readonly ones can be put in as they are. */
export type Frozen<T> = T extends readonly (infer U)[]
  ? readonly Frozen<U>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;
