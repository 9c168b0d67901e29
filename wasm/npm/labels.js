// SPDX-License-Identifier: Apache-2.0
// From scores to labels: a label is given where its float32 score is greater than its float32 threshold.
import { MienError, kindOf } from './errors.js'

const logit = (p) => Math.log(p) - Math.log1p(-p)

function checkThreshold(value, where) {
  if (typeof value === 'number' && value >= 0 && value <= 1) return Math.fround(value)
  const found = typeof value === 'number' ? value : kindOf(value)
  throw new MienError('argument', `${where}: expected a number in [0, 1], found ${found}`)
}

// The model's own thresholds, with one for all or some labels' in their places.
function thresholdsOf(names, own, given) {
  if (given === undefined) return own
  if (typeof given === 'number') return own.map(() => checkThreshold(given, 'thresholds'))
  if (given === null || typeof given !== 'object' || Array.isArray(given))
    throw new MienError('argument', `thresholds: expected a number or an object of labels, found ${kindOf(given)}`)
  const thresholds = own.slice()
  for (const [label, value] of Object.entries(given)) {
    const i = names.indexOf(label)
    if (i < 0)
      throw new MienError('argument', `thresholds: '${label}' is not one of the model's ${names.length} labels`)
    thresholds[i] = checkThreshold(value, `thresholds: '${label}'`)
  }
  return thresholds
}

/** (names, thresholds: Float32Array, LabelOptions) -> a function from a row's scores to its result. */
export function selector(names, own, { thresholds: given, topK, minLabels = 0, allScores = false }) {
  const thresholds = thresholdsOf(names, own, given)
  for (const [name, value, least] of [
    ['topK', topK ?? 1, 1],
    ['minLabels', minLabels, 0]
  ])
    if (!Number.isInteger(value) || value < least)
      throw new MienError('argument', `${name}: expected a whole number from ${least}, found ${value}`)

  return (scores) => {
    const all = names.map((label, i) => ({ label, score: scores[i], i }))
    let chosen = topK ? all : all.filter(({ score, i }) => score > thresholds[i])
    if (!topK && chosen.length < minLabels) {
      const distance = ({ score, i }) => (score === thresholds[i] ? 0 : logit(score) - logit(thresholds[i]))
      chosen = all.sort((a, b) => distance(b) - distance(a) || a.i - b.i).slice(0, minLabels)
    }
    chosen.sort((a, b) => b.score - a.score || a.i - b.i)
    const labels = chosen.slice(0, topK).map(({ label, score }) => ({ label, score }))
    return allScores ? { labels, allScores: scores.slice() } : { labels }
  }
}
