// SPDX-License-Identifier: Apache-2.0
// The thresholds as they are set, the labels that scores give at them, and what precision and recall are there.
import { shortest } from './numbers.js'

/** Fires 'change' with `detail`: the places of the labels whose threshold is another. */
export class Thresholds extends EventTarget {
  /** names: the labels in the model's order; tuned: the thresholds that it came with. */
  constructor(names, tuned) {
    super()
    this.names = names
    this.tuned = Float32Array.from(tuned)
    this.values = this.tuned.slice()
  }

  set(label, value) {
    const threshold = Math.fround(value)
    if (this.values[label] === threshold) return
    this.values[label] = threshold
    this.#changed([label])
  }

  reset() {
    const moved = this.names.map((_, label) => label).filter((label) => !this.isTuned(label))
    this.values.set(this.tuned)
    this.#changed(moved)
  }

  isTuned(label) {
    return this.values[label] === this.tuned[label]
  }

  get areTuned() {
    return this.names.every((_, label) => this.isTuned(label))
  }

  /** [{ label, score }] above their thresholds, highest first: what the package does, from scores that were kept. */
  given(scores) {
    const found = []
    for (let label = 0; label < this.values.length; label++)
      if (scores[label] > this.values[label]) found.push({ label, score: scores[label] })
    return found.sort((a, b) => b.score - a.score || a.label - b.label)
  }

  /** As mien takes them: --thresholds FILE, or load's option. */
  json() {
    const lines = this.names.map((name, label) => ` ${JSON.stringify(name)}: ${shortest(this.values[label])}`)
    return `{\n${lines.join(',\n')}\n}\n`
  }

  #changed(labels) {
    if (labels.length) this.dispatchEvent(new CustomEvent('change', { detail: labels }))
  }
}

const f1 = (precision, recall) => (precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0)

/** What metrics.json of a model says of its test split. */
export class Curves {
  constructor(metrics, names) {
    this.rows = metrics.rows
    const { first, step, labels } = metrics.curves
    this.grid = labels[names[0]].tp.map((_, place) => Math.round((first + place * step) / step) * step)
    this.labels = names.map((name) => ({ ...labels[name], ...metrics.per_label[name] }))
  }

  /** { precision, recall, f1 } of a label at a place of the grid; precision is 0 where nothing is given. */
  at(label, place) {
    const { tp, fp, support } = this.labels[label]
    const precision = tp[place] / Math.max(tp[place] + fp[place], 1)
    const recall = tp[place] / Math.max(support, 1)
    return { precision, recall, f1: f1(precision, recall) }
  }

  /** At any threshold: the tuned ones lie between the grid's, and have figures of their own. */
  of(label, threshold, isTuned) {
    return isTuned ? this.labels[label] : this.at(label, this.placeOf(threshold))
  }

  placeOf(threshold) {
    const last = this.grid.length - 1
    return Math.min(last, Math.max(0, Math.round((threshold - this.grid[0]) / (this.grid[1] - this.grid[0]))))
  }
}
