/**
 * Things of two kinds, for prompts that teach two made-up words by examples: a model has to read the examples to know which of
 * the two a new thing is called.
 */

/** Pairs of kinds with enough things of each. */
export const KINDS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [
    (
      'apple pear plum cherry lemon peach grape melon orange mango fig banana apricot lime kiwi berry date olive ' +
      'coconut papaya quince raisin currant guava nectarine pineapple pomegranate tangerine blackberry blueberry ' +
      'cranberry raspberry strawberry grapefruit watermelon avocado'
    ).split(' '),
    (
      'hammer saw drill axe rake spade chisel wrench file pliers ladder shovel screwdriver clamp vise mallet crowbar ' +
      'scissors knife needle pump lever hoe sickle trowel brush roller sander stapler tongs tweezers anvil lathe ' +
      'jack wedge plane'
    ).split(' '),
  ],
  [
    (
      'dog cat horse cow goat sheep lion tiger wolf fox bear deer rabbit mouse pig donkey camel monkey zebra otter ' +
      'beaver badger squirrel hamster leopard panda koala elephant giraffe hippo rhino kangaroo moose seal whale bat'
    ).split(' '),
    (
      'car bus train truck bike boat plane ship tram taxi van ferry canoe scooter tractor rocket sled wagon subway ' +
      'yacht jeep kayak raft carriage ambulance motorcycle helicopter submarine trolley limousine cart glider ' +
      'balloon jet barge bulldozer'
    ).split(' '),
  ],
  [
    (
      'shirt coat hat sock shoe scarf glove dress skirt belt jacket sweater boot tie vest jeans cap robe apron gown ' +
      'blouse cardigan hoodie sandal slipper pajamas raincoat shorts suit uniform veil mitten cape bonnet kilt toga'
    ).split(' '),
    (
      'violin piano flute drum guitar trumpet harp cello organ horn banjo clarinet tuba oboe bugle viola trombone ' +
      'saxophone accordion mandolin ukulele bassoon xylophone harmonica lute cymbal gong bagpipe fiddle lyre ' +
      'tambourine triangle recorder zither sitar piccolo'
    ).split(' '),
  ],
];

/** Two words that mean nothing, for the two kinds. */
export const LABELS: readonly (readonly [string, string])[] = [
  ['blue', 'red'],
  ['north', 'south'],
  ['one', 'two'],
];
