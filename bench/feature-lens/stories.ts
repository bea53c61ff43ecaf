/**
 * Stories written for the benchmark, whose question needs two of their sentences: where a thing was put, and where what it was put
 * into stands. The other sentences tell of other things and other places, or of nothing that matters.
 */

/** Who, the thing, what it is in, where that stands. */
export const PEOPLE = 'Anna Tom Maria Paul Lucy Peter Nora Frank Clara David Helen Martin'.split(' ');
export const THINGS = ['key', 'letter', 'ring', 'map', 'watch', 'coin', 'photo', 'passport', 'knife', 'ticket'];
export const HOLDERS = ['blue box', 'old suitcase', 'leather bag', 'green basket', 'tin chest', 'brown drawer'];
export const PLACES = ['kitchen', 'garden', 'attic', 'cellar', 'garage', 'library', 'bedroom', 'office'];

/** {A} puts the {T} into the {H}. */
export const PUTS = [
  '{A} put the {T} in the {H}.',
  'The {T} is in the {H}, where {A} left it.',
  '{A} has hidden the {T} in the {H}.',
  'You will find the {T} in the {H} of {A}.',
];
/** The {H} is in the {P}. */
export const STANDS = [
  'The {H} is in the {P}.',
  '{A} carried the {H} to the {P}.',
  'In the {P} there is the {H}.',
  'Everybody knows that the {H} stands in the {P}.',
];
/** What does not matter. */
export const ASIDES = [
  'It rained all morning.',
  '{A} made coffee for everyone.',
  'The neighbours were on holiday.',
  '{A} and {B} talked about the weather.',
  'Somebody rang the bell and went away again.',
  'The dog slept under the table.',
  'At noon {A} went for a walk.',
  'The radio played an old song.',
  '{A} had forgotten to buy bread.',
  'Nobody had slept well that night.',
  'The post came late that day.',
  '{A} wrote a long list.',
  'A window was open upstairs.',
  '{B} laughed at something that {A} had said.',
  'The clock in the hall had stopped.',
  'There was a smell of fresh paint.',
  'The children were still at school.',
  '{A} had lived in the house for nine years.',
  'The cat was nowhere to be seen.',
  'Outside, a man was washing his car.',
  '{A} did not like the new curtains.',
  'Supper would be late again.',
  'The phone rang twice.',
  '{B} had a cold and stayed in bed.',
];
