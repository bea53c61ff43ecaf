/**
 * spexlens/browser: everything as one ES module for a page without a bundler, TensorFlow.js included, which hooks compute with as `tf`.
 */
export * from './index.ts';
export * as tf from '@tensorflow/tfjs-core';
