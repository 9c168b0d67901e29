// SPDX-License-Identifier: Apache-2.0
// From scores to labels: a label is given where its float32 score is greater than its float32 threshold.
import { expect, expectWhole, fail } from './errors.js'

const logit = (p) => Math.log(p) - Math.log1p(-p)

function checkThreshold(value, what) {
  expect(typeof value === 'number' && value >= 0 && value <= 1, what, 'a number in [0, 1]', value)
  return Math.fround(value)
}

// The model's own thresholds, with one for all or some labels' in their places.
function thresholdsOf(names, own, given) {
  if (given === undefined) return own
  if (typeof given === 'number') return own.fill(checkThreshold(given, 'thresholds'))
  expect(
    given && typeof given === 'object' && !given[Symbol.iterator],
    'thresholds',
    'a number or an object of labels',
    given
  )
  for (const [label, value] of Object.entries(given)) {
    const i = names.indexOf(label)
    if (i < 0) fail('argument', `thresholds: '${label}' is not one of the model's ${names.length} labels`)
    own[i] = checkThreshold(value, `thresholds: '${label}'`)
  }
  return own
}

/** (names, thresholds: Float32Array of the caller's, LabelOptions) -> a function from a row's scores to its result. */
export function selector(names, own, { thresholds: given, topK, minLabels = 0, allScores }) {
  const thresholds = thresholdsOf(names, own, given)
  if (topK !== undefined) expectWhole(topK, 'topK', 1)
  expectWhole(minLabels, 'minLabels', 0)
  const distance = ({ score, i }) => (score === thresholds[i] ? 0 : logit(score) - logit(thresholds[i]))

  return (scores) => {
    const all = names.map((label, i) => ({ label, score: scores[i], i }))
    let chosen = topK ? all : all.filter(({ score, i }) => score > thresholds[i])
    if (!topK && chosen.length < minLabels) chosen = all.sort((a, b) => distance(b) - distance(a)).slice(0, minLabels)
    chosen.sort((a, b) => b.score - a.score || a.i - b.i)
    const labels = chosen.slice(0, topK).map(({ label, score }) => ({ label, score }))
    return allScores ? { labels, allScores: scores.slice() } : { labels }
  }
}
