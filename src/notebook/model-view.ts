/** A model, or what is said of one: its facts, and its hook points with shapes and formulas. */
import { describeModel, type ModelDescription } from '../model/describe.ts';
import type { Model } from '../model/model.ts';
import { markup } from '../report/markup.ts';
import { whole } from '../report/wording.ts';
import { code, tableOf, type View } from './view.ts';

export function descriptionView({ facts, hooks, text }: ModelDescription): View {
  return {
    text,
    above: [
      facts.map((fact) => markup`<div>${fact}</div>`),
      tableOf(
        ['hook', 'shape', 'what stands there'],
        hooks.map(({ hook, shape, formula }) => [code(hook), shape, formula]),
      ),
    ],
  };
}

export function modelView(model: Model): View {
  const { text, above } = descriptionView(describeModel(model));
  const heading = `${model.name}: ${whole(model.parameterCount)} parameters, ${model.storage}`;
  return {
    text: `${heading}\n${text}`,
    above: [markup`<p><b>${heading}</b></p><details><summary>what it computes</summary>${above}</details>`],
  };
}
