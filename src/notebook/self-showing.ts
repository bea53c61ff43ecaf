/** Lets what is marked, and every tensor, show itself in a notebook. Importing this is what does it. */
import * as tf from '@tensorflow/tfjs-core';
import { DISPLAY, drawWith, type MimeBundle } from '../showing.ts';
import { mimeBundle } from './mime-bundle.ts';

drawWith(mimeBundle);
Object.defineProperty(tf.Tensor.prototype, DISPLAY, {
  configurable: true,
  value(this: tf.Tensor): Promise<MimeBundle> {
    return mimeBundle(this);
  },
});
