// SPDX-License-Identifier: Apache-2.0
// A slider a label over its F1 at every threshold, with what precision and recall become.
import { byId, download, draw, make, oncePerFrame, say } from './dom.js'
import { count, figure, shortest } from './numbers.js'

const HEIGHT = 100

// F1 over thresholds as an area: x in places of the grid, y down from 1.
function curveOf(curves, label) {
  const last = curves.grid.length - 1
  const points = curves.grid.map((_, place) => `${place} ${(HEIGHT * (1 - curves.at(label, place).f1)).toFixed(1)}`)
  const box = { viewBox: `0 0 ${last} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': true, class: 'curve' }
  return draw(
    'svg',
    box,
    draw('path', { class: 'area', d: `M0 ${HEIGHT}L${points.join('L')}L${last} ${HEIGHT}Z` }),
    draw('path', { class: 'edge', d: `M${points.join('L')}` })
  )
}

export class Sliders {
  #items
  rows // of the file, when there is one
  givenInText = () => new Set()

  constructor(thresholds, curves) {
    this.thresholds = thresholds
    this.curves = curves
    byId('curve-rows').textContent = count(curves.rows)
    this.#items = thresholds.names.map((name, label) => this.#make(name, label))
    const order = [...thresholds.names.keys()].sort((a, b) => thresholds.names[a].localeCompare(thresholds.names[b]))
    byId('sliders').replaceChildren(...order.map((label) => this.#items[label].item))
    const show = oncePerFrame(() => this.show())
    thresholds.addEventListener('change', show)
    byId('thresholds-reset').addEventListener('click', () => {
      thresholds.reset()
      say(byId('thresholds-said'), 'All thresholds are the tuned ones again.')
    })
    byId('thresholds-download').addEventListener('click', () =>
      download('thresholds.json', new Blob([thresholds.json()], { type: 'application/json' }))
    )
    this.show()
  }

  #make(name, label) {
    const { grid } = this.curves
    const input = make('input', {
      type: 'range',
      min: 0,
      max: grid.length - 1,
      step: 1,
      'aria-label': `Threshold of ${name}`,
      oninput: () => this.thresholds.set(label, grid[input.value])
    })
    const [value, precision, recall, f1, rows] = ['value', 'precision', 'recall', 'f1', 'count'].map((part) =>
      make('span', { class: part, 'data-part': part })
    )
    const tuned = make('span', {
      class: 'tuned',
      '--at': this.curves.placeOf(this.thresholds.tuned[label]) / (grid.length - 1)
    })
    const item = make(
      'li',
      { 'data-label': name },
      make('span', { class: 'name' }, make('span', { class: 'swatch', 'aria-hidden': true }), name),
      make('span', { class: 'slide' }, curveOf(this.curves, label), tuned, input),
      value,
      precision,
      recall,
      f1,
      rows
    )
    return { item, input, value, precision, recall, f1, rows }
  }

  show() {
    const { thresholds, curves } = this
    const sums = { precision: 0, recall: 0, f1: 0 }
    const inText = this.givenInText()
    this.#items.forEach(({ item, input, ...parts }, label) => {
      const threshold = thresholds.values[label]
      const found = curves.of(label, threshold, thresholds.isTuned(label))
      for (const part of ['precision', 'recall', 'f1']) {
        sums[part] += found[part] / thresholds.names.length
        parts[part].textContent = figure(found[part])
      }
      const place = String(curves.placeOf(threshold))
      if (input.value !== place) input.value = place
      parts.value.textContent = threshold.toFixed(thresholds.isTuned(label) ? 3 : 2).replace(/^0/, '')
      parts.value.title = shortest(threshold)
      parts.rows.textContent = this.rows?.n ? count(this.rows.counts[label]) : ''
      item.classList.toggle('moved', !thresholds.isTuned(label))
      item.classList.toggle('given', inText.has(label))
      input.setAttribute(
        'aria-valuetext',
        `${parts.value.textContent}: precision ${figure(found.precision)}, recall ${figure(found.recall)}, F1 ${figure(found.f1)}` +
          (this.rows?.n ? `, ${parts.rows.textContent} rows` : '')
      )
    })
    const tuned = figure(curves.labels.reduce((sum, { f1 }) => sum + f1 / curves.labels.length, 0))
    byId('totals').replaceChildren(
      'All labels: precision ',
      make('b', {}, figure(sums.precision)),
      ', recall ',
      make('b', {}, figure(sums.recall)),
      ', macro F1 ',
      make('b', {}, figure(sums.f1)),
      thresholds.areTuned ? ' at the tuned thresholds' : `, tuned ${tuned}`
    )
    byId('thresholds-reset').disabled = thresholds.areTuned
    byId('thresholds').classList.toggle('has-rows', Boolean(this.rows?.n))
  }
}
