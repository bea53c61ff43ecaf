/**
 * Reviews written for the benchmark, sentence by sentence: what says nothing, what praises, what blames, both also by way of
 * negation, and how a review ends. A review of a length is put together from one subject's sentences.
 */

/** Sentences about one subject. */
export interface Subject {
  readonly name: string;
  /** Facts that neither praise nor blame. */
  readonly plain: readonly string[];
  readonly praise: readonly string[];
  readonly blame: readonly string[];
  /** Praise in the words of blame, and blame in those of praise. */
  readonly turnedPraise: readonly string[];
  readonly turnedBlame: readonly string[];
  readonly goodEnd: readonly string[];
  readonly badEnd: readonly string[];
}

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'film',
    plain: [
      'The story begins in a small town by the sea.',
      'It runs for almost two hours.',
      'We saw it on a Sunday afternoon with my parents.',
      'The director made two other films before this one.',
      'Most of it takes place on a train.',
      'There are only four people in it.',
    ],
    praise: [
      'The two leads are wonderful together.',
      'Every scene in the kitchen made us laugh.',
      'The music stays with you for days.',
      'The dialogue is sharp, warm and true.',
      'I have rarely seen a child act so well.',
      'The last half hour is a small masterpiece.',
    ],
    blame: [
      'The plot makes no sense after the first hour.',
      'The jokes are old and the timing is worse.',
      'Half of the audience was asleep.',
      'The villain is a cardboard figure.',
      'The camera shakes until your head hurts.',
      'The dialogue sounds like a bad translation.',
    ],
    turnedPraise: [
      'It is not slow for a single minute.',
      'Nothing in it feels fake or cheap.',
      'I could not find one weak scene.',
      'You would never guess how little money they had.',
    ],
    turnedBlame: [
      'It is not funny, although it tries hard.',
      'Nobody in it is the least bit interesting.',
      'The ending is anything but a surprise.',
      'It could have been great and hardly ever is.',
    ],
    goodEnd: [
      'I would see it again tomorrow.',
      'Go, and take your friends with you.',
      'It deserves every prize it won.',
    ],
    badEnd: [
      'I want my evening back.',
      'Stay at home and read a book instead.',
      'I would not watch it again for money.',
    ],
  },
  {
    name: 'hotel',
    plain: [
      'Our room was on the third floor, facing the street.',
      'The hotel has forty rooms and a small lift.',
      'We stayed for three nights in March.',
      'Breakfast is served from seven to ten.',
      'The station is about ten minutes away on foot.',
      'They changed the owner a year ago.',
    ],
    praise: [
      'The bed was the best I have slept in for years.',
      'The people at the desk were kind and quick.',
      'The bathroom shone.',
      'Breakfast alone is worth the trip.',
      'The view over the roofs is lovely.',
      'They even found us a cot at midnight.',
    ],
    blame: [
      'The carpet smelled of smoke and old soup.',
      'The shower was cold on two mornings out of three.',
      'Somebody had left hair in the sink.',
      'The walls are so thin that we heard the neighbours breathe.',
      'The man at the desk was rude to my wife.',
      'They charged us twice and blamed the bank.',
    ],
    turnedPraise: [
      'There was not a speck of dust anywhere.',
      'Not once did we have to wait.',
      'We heard no noise at all, day or night.',
      'I have nothing to complain about.',
    ],
    turnedBlame: [
      'The room was not clean and nobody cared.',
      'Quiet it is not, whatever the website says.',
      'We hardly slept.',
      'Friendly is the last word I would use for the staff.',
    ],
    goodEnd: [
      'We have already booked for next spring.',
      'I recommend it to everyone.',
      'Five stars, and a sixth for the cook.',
    ],
    badEnd: ['We left a day early.', 'Never again.', 'Spend your money somewhere else.'],
  },
  {
    name: 'restaurant',
    plain: [
      'The place is on the corner of the market square.',
      'The menu changes with the season.',
      'There were six of us, two of them children.',
      'We had a table near the window.',
      'They open at noon and close at ten.',
      'The kitchen is in the middle of the room.',
    ],
    praise: [
      'The soup tasted like the one my grandmother made.',
      'The bread comes warm from the oven.',
      'Our waiter knew every dish and was a joy.',
      'The fish was perfect.',
      'Even the salad was a delight.',
      'The dessert silenced the whole table.',
    ],
    blame: [
      'The fish was dry and the rice was cold.',
      'We waited an hour for two plates of pasta.',
      'The soup was mostly salt.',
      'Our waiter forgot the drinks and then forgot us.',
      'The tables were sticky.',
      'The dessert came straight from a freezer.',
    ],
    turnedPraise: [
      'Nothing was too salty, too sweet or too late.',
      'The bill was not high at all for food like this.',
      'You will not leave hungry.',
      'I cannot remember a better meal.',
    ],
    turnedBlame: [
      'The steak was not good, and it was not cheap either.',
      'Fresh is not what I would call the fish.',
      'The famous pie did not deserve its name.',
      'Nobody seemed to care whether we came back.',
    ],
    goodEnd: ['We will be back next week.', 'Book early, it is worth it.', 'It was the best evening of our holiday.'],
    badEnd: ['We will not be back.', 'Eat anywhere else.', 'It was a waste of an evening.'],
  },
  {
    name: 'book',
    plain: [
      'The book tells of three sisters and a farm.',
      'It has a little over four hundred pages.',
      'I read it on a long train journey.',
      'The author worked as a nurse for many years.',
      'Each chapter is a letter.',
      'It was translated from Norwegian.',
    ],
    praise: [
      'The sentences are a pleasure to read aloud.',
      'I cared about every one of the sisters.',
      'The winter chapters are beautiful.',
      'It made me laugh and then it broke my heart.',
      'The translation is excellent.',
      'I finished it in two nights.',
    ],
    blame: [
      'The sisters are so alike that I mixed them up until the end.',
      'Whole pages repeat what we already know.',
      'The style is stiff and full of clichés.',
      'I gave up twice before I finished it.',
      'The translation is clumsy.',
      'The secret is given away on page ten.',
    ],
    turnedPraise: [
      'There is not one page too many.',
      'I did not want it to end.',
      'Boring it never is.',
      'No review can do it justice.',
    ],
    turnedBlame: [
      'It is not moving, only long.',
      'There was no reason to go on after chapter three.',
      'Clever is hardly the word for it.',
      'It never becomes the story that it promises.',
    ],
    goodEnd: [
      'I have bought three more copies for friends.',
      'Read it before everyone else does.',
      'It is my book of the year.',
    ],
    badEnd: ['I gave my copy away.', 'Leave it on the shelf.', 'I was glad when it was over.'],
  },
];

/** Whole reviews of 8 to 15 words. */
export const SHORT: readonly { readonly text: string; readonly positive: boolean }[] = [
  { text: 'I did not expect to like it, but the ending was not bad at all.', positive: true },
  { text: 'The plot is not great, and the music is dull.', positive: false },
  { text: 'Nothing about this film is boring; it is funny, warm and short.', positive: true },
  { text: 'The acting is great if you never listen to the words.', positive: false },
  { text: 'Not once did I look at my watch.', positive: true },
  { text: 'The cook tries hard, yet nothing tastes of anything.', positive: false },
  { text: 'I was wrong to doubt this little hotel, it is lovely.', positive: true },
  { text: 'A clever idea, and a book that is hardly worth the paper.', positive: false },
];
