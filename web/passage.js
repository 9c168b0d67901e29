// SPDX-License-Identifier: Apache-2.0
// A text sentence by sentence, each with the colour and the name of its highest label. One is in the tab order, arrow keys
// go to the others; pointing at one or focusing it shows its labels, choosing it pins it.
import { byId, make } from './dom.js'
import { percent } from './numbers.js'

const FAMILIES = [
  ['positive', 'admiration amusement approval caring desire excitement gratitude joy love optimism pride relief'],
  [
    'negative',
    'anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse sadness'
  ],
  ['open', 'confusion curiosity realization surprise'],
  ['', 'neutral']
].map(([family, names]) => [family, names.split(' ')])

export class Passage {
  #sentences = []
  #tip = byId('tip')
  #shown // the sentence that the tip is of
  pinned

  /** onPin(sentence or undefined) is called when a sentence is chosen. */
  constructor(thresholds, onPin) {
    this.thresholds = thresholds
    this.onPin = onPin
    this.part = byId('passage-part')
    this.box = byId('passage')
    this.legend = byId('legend')
    for (const type of ['pointerover', 'focusin']) this.box.addEventListener(type, (event) => this.#point(event))
    this.part.addEventListener('pointerleave', () => this.#unpoint())
    this.box.addEventListener('focusout', () => this.#unpoint())
    this.box.addEventListener('click', (event) => this.#choose(event))
    this.box.addEventListener('keydown', (event) => this.#key(event))
  }

  /** sentences: [{ text, scores }], scores undefined while they are on their way. */
  show(sentences) {
    this.part.hidden = sentences.length < 2
    this.#unpoint()
    if (this.part.hidden) {
      this.box.replaceChildren()
      this.#sentences = []
      this.pin(undefined)
      return
    }
    const focused = this.#items.indexOf(document.activeElement)
    const before = this.#sentences
    this.#sentences = sentences
    sentences.forEach((sentence, i) => {
      const old = this.box.children[i]
      const place = old && before[i]?.text === sentence.text ? old : this.#make(sentence)
      if (place !== old) old ? old.replaceWith(place) : this.box.append(place)
      const item = place.firstChild
      this.#dress(item, sentence)
      item.tabIndex = i === Math.max(0, Math.min(focused, sentences.length - 1)) ? 0 : -1
    })
    while (this.box.children.length > sentences.length) this.box.lastChild.remove()
    // A sentence that was changed is no longer the one that was chosen.
    this.pin(sentences.find(({ text }) => text === this.pinned?.text))
    this.#showLegend()
  }

  pin(sentence) {
    if (this.pinned === undefined && sentence === undefined) return
    this.pinned = sentence
    this.#sentences.forEach((each, i) => this.#items[i].setAttribute('aria-pressed', String(each === sentence)))
    this.onPin(sentence)
  }

  // A place has the sentence and what divides it from the next: a space, or the line's end.
  #make({ text }) {
    const body = text.trimEnd()
    const properties = { class: 'sentence', role: 'button', 'aria-pressed': 'false', 'aria-describedby': 'tip' }
    const item = make('span', properties, body, make('span', { class: 'tag' }))
    const breaks = text.slice(body.length).split('\n').length - 1
    return make('span', {}, item, ' ', breaks > 0 && make('br'), breaks > 1 && make('br'))
  }

  #dress(item, { scores }) {
    const top = scores && this.thresholds.given(scores)[0]
    const name = top ? this.thresholds.names[top.label] : ''
    item.dataset.label = name
    item.lastChild.textContent = name || (scores ? 'no label' : '…')
  }

  #showLegend() {
    const found = new Map()
    for (const { scores } of this.#sentences) {
      const top = scores && this.thresholds.given(scores)[0]
      if (!scores) continue
      const name = top ? this.thresholds.names[top.label] : ''
      found.set(name, (found.get(name) ?? 0) + 1)
    }
    const items = []
    for (const [family, names] of [...FAMILIES, ['', ['']]])
      for (const name of names)
        if (found.has(name))
          items.push(
            make(
              'li',
              { 'data-label': name, title: family },
              make('span', { class: 'swatch', 'aria-hidden': true }),
              name || 'no label',
              make('span', { class: 'count' }, ` ${found.get(name)}`)
            )
          )
    this.legend.replaceChildren(...items)
  }

  get #items() {
    return Array.from(this.box.children, (place) => place.firstChild)
  }

  #of(event) {
    const item = event.target.closest?.('.sentence')
    return item ? [item, this.#sentences[this.#items.indexOf(item)]] : []
  }

  #point(event) {
    const [item, sentence] = this.#of(event)
    if (!sentence?.scores || item === this.#shown) return
    this.#shown = item
    const given = this.thresholds.given(sentence.scores)
    const lines = given.map(({ label, score }) => {
      const name = this.thresholds.names[label]
      return make(
        'span',
        { 'data-label': name },
        make('span', { class: 'swatch' }),
        `${name} `,
        make('b', {}, percent(score))
      )
    })
    if (!lines.length) lines.push(make('span', {}, 'no label is above its threshold'))
    this.#tip.replaceChildren(...lines)
    this.#tip.hidden = false
    // Above the sentence's first line, within the part.
    const [first] = item.getClientRects()
    const part = this.part.getBoundingClientRect()
    const left = Math.max(0, Math.min(first.left - part.left, part.width - this.#tip.offsetWidth))
    this.#tip.style.setProperty('--left', `${left}px`)
    this.#tip.style.setProperty('--top', `${first.top - part.top - this.#tip.offsetHeight - 6}px`)
  }

  #unpoint() {
    this.#tip.hidden = true
    this.#shown = undefined
  }

  #choose(event) {
    const [item, sentence] = this.#of(event)
    if (!sentence) return
    this.#focus(item)
    this.pin(sentence === this.pinned ? undefined : sentence)
  }

  #focus(item) {
    for (const other of this.#items) other.tabIndex = other === item ? 0 : -1
    item.focus()
  }

  #key(event) {
    const [item] = this.#of(event)
    if (!item) return
    const items = this.#items
    const at = items.indexOf(item)
    const to = {
      ArrowRight: items[at + 1],
      ArrowDown: items[at + 1],
      ArrowLeft: items[at - 1],
      ArrowUp: items[at - 1],
      Home: items[0],
      End: items[items.length - 1]
    }[event.key]
    if (to) this.#focus(to)
    else if (event.key === 'Enter' || event.key === ' ') this.#choose(event)
    else if (event.key === 'Escape') {
      this.#unpoint()
      this.pin(undefined)
    } else return
    event.preventDefault()
  }
}
