/** The module of tfjs-backend-wasm as the build packs it (scripts/build-package.ts): base64 of its bytes under gzip. */
declare module 'tfjs-backend-wasm-simd.wasm' {
  const packed: string;
  export default packed;
}
