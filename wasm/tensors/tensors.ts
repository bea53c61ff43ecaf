/** Everything the module exports. It works on the memory that it is given and has none of its own: no data, no globals. */
export { attention, attentionScratch, pathAttention, pathAttentionScratch } from './attention';
export { backLinear, backLinearScratch, backGelu, backGeluNew, backNorm, backPointwise, backRelu, backSilu, maskSlopes, turn } from './back';
export { backAttention, backAttentionScratch } from './back-attention';
export { multiplyAddOne } from './functions';
export { fromHeads, headsScratch, toHeads } from './heads';
export { norm } from './norm';
export { pointwise, pointwiseGelu, pointwiseGeluNew, pointwiseNone, pointwiseRelu, pointwiseSilu } from './pointwise';
export { linear, linearScratch, stream } from './product';
export { maskRows } from './rows';
export { momentumStep, softmaxErrors, sumRows, transpose } from './training';
export { tile1x32, tile1x8, tile2x8, tile3x8, tile4x8, tile5x8, tile6x8 } from './tiles';
