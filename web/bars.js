// SPDX-License-Identifier: Apache-2.0
// Scores as bars, each with its threshold as a mark: those given first, then the next ones.
import { make } from './dom.js'
import { percent, shortest } from './numbers.js'

const SHOWN = 6

export class Bars {
  all = false
  #items

  constructor(list, thresholds) {
    this.list = list
    this.thresholds = thresholds
    this.#items = thresholds.names.map((name) => {
      const fill = make('span', { class: 'fill' })
      const mark = make('span', { class: 'mark' })
      const value = make('span', { class: 'value' })
      const unseen = make('span', { class: 'unseen' })
      const item = make(
        'li',
        { 'data-label': name },
        make('span', { class: 'name' }, name),
        unseen,
        value,
        make('span', { class: 'track', 'aria-hidden': true }, fill, mark)
      )
      return { item, fill, mark, value, unseen }
    })
  }

  show(scores) {
    const { values } = this.thresholds
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b)
    const given = order.filter((label) => scores[label] > values[label])
    const others = order.filter((label) => !(scores[label] > values[label]))
    const shown = this.all ? order : [...given, ...others.slice(0, Math.max(2, SHOWN - given.length))]
    shown.forEach((label, place) => {
      const { item, fill, mark, value, unseen } = this.#items[label]
      const isGiven = scores[label] > values[label]
      item.classList.toggle('given', isGiven)
      fill.style.setProperty('--at', scores[label])
      mark.style.setProperty('--at', values[label])
      value.textContent = percent(scores[label])
      value.title = `score ${shortest(scores[label])}, threshold ${shortest(values[label])}`
      unseen.textContent = isGiven ? ', given: ' : ', not given: '
      if (this.list.children[place] !== item) this.list.insertBefore(item, this.list.children[place] ?? null)
    })
    while (this.list.children.length > shown.length) this.list.lastChild.remove()
  }

  clear() {
    this.list.replaceChildren()
  }
}
