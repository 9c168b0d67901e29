// SPDX-License-Identifier: Apache-2.0
// The text that is being written: labelled at every keystroke, as a whole and sentence by sentence. One call runs at a time;
// what it says of a text that is no longer there is dropped, and the text that is there then goes next.
import { Bars } from './bars.js'
import { afterQuiet, byId, make, oncePerFrame, say } from './dom.js'
import { count, percent, plural } from './numbers.js'
import { Passage } from './passage.js'
import { sentencesOf } from './sentences.js'

const KEPT = 2000 // sentences whose scores are remembered

const EXAMPLES = [
  ['A train journey', byId('input').defaultValue],
  ['Thanks', 'Thank you for staying late to help me move. I was dreading it, and you made it fun!'],
  ['An apology', 'I’m so sorry, I completely forgot about your recital.'],
  ['A question', 'Does anyone know why cats purr when they’re hurt? I always thought it meant they were happy.'],
  ['First day', 'First day at the new job tomorrow. Barely slept, but I can’t wait to start.'],
  ['Get well', 'I hope you feel better soon, take all the time you need.'],
  ['Laughing', 'I’m dead 😂 this is the funniest thing I’ve seen all year'],
  ['Plain fact', 'The meeting is at ten in the blue room.']
]

const FAILURES = [
  ['Sarcasm', 'Oh great, it’s raining again. Just what I needed.', 'It takes the praise at its word.'],
  ['Surface words', 'I wonder whether he got home all right.', 'A worry, but “I wonder” looks like surprise to it.'],
  [
    'Two feelings',
    'My sister hugged me and cried; I felt terrible for making her wait.',
    'Remorse, and it sees fear and sadness.'
  ],
  ['Loss', 'He was a good dog.', 'The grief is between the words, where it does not look.'],
  ['Other languages', 'Muchas gracias por todo, fue un día precioso.', 'It reads English alone: this is neutral to it.']
]

export class Typing {
  #model
  #isRunning = false
  #began
  #kept = new Map() // text -> { scores, truncated }
  #whole // of the text that is shown
  #sentences = []
  #text = ''

  constructor(thresholds) {
    this.thresholds = thresholds
    this.input = byId('input')
    this.bars = new Bars(byId('bars'), thresholds)
    this.passage = new Passage(thresholds, () => this.#showBars())
    this.input.addEventListener('input', (event) => this.#changed(event.timeStamp))
    byId('input-clear').addEventListener('click', () => this.#take('', ''))
    byId('bars-back').addEventListener('click', () => this.passage.pin(undefined))
    byId('bars-all').addEventListener('click', (event) => {
      this.bars.all = !this.bars.all
      event.target.setAttribute('aria-expanded', String(this.bars.all))
      event.target.textContent = this.bars.all ? 'Show fewer' : 'Show all 28'
      this.#showBars()
    })
    thresholds.addEventListener(
      'change',
      oncePerFrame(() => this.#show())
    )
    const button = ([name, text, why = '']) =>
      make('li', {}, make('button', { type: 'button', onclick: () => this.#take(text, why) }, name))
    byId('examples').append(...EXAMPLES.map(button))
    byId('failures').append(...FAILURES.map(button))
    this.#count()
  }

  start(model) {
    this.#model = model
    this.#changed(performance.now())
  }

  /** Labels above their thresholds of the text that is shown: a set of places. */
  get given() {
    return new Set(this.#whole ? this.thresholds.given(this.#whole.scores).map(({ label }) => label) : [])
  }

  #take(text, why) {
    this.input.value = text
    say(byId('example-note'), why)
    this.passage.pin(undefined)
    if (!text) this.input.focus()
    this.#changed(performance.now())
  }

  #count() {
    const words = this.input.value.match(/\S+/g)?.length ?? 0
    byId('input-count').textContent = words ? plural(words, 'word') : ''
    byId('input-clear').hidden = !this.input.value
  }

  #changed(began) {
    this.#count()
    this.#began = began
    if (this.#model && !this.#isRunning) this.#run()
  }

  async #run() {
    this.#isRunning = true
    try {
      let text
      do {
        text = this.input.value
        await this.#label(text, this.#began)
      } while (text !== this.input.value)
    } catch (error) {
      byId('bars-time').textContent = `This text could not be labelled: ${error.message}`
    } finally {
      this.#isRunning = false
    }
  }

  async #label(text, began) {
    const isCurrent = () => text === this.input.value
    const sentences = text.trim() ? sentencesOf(text) : []
    // Sentences first: most of them are known, and they are short.
    await this.#score(sentences, isCurrent)
    if (!isCurrent()) return
    const [whole] = sentences.length ? await this.#score([text], isCurrent) : []
    if (!isCurrent()) return
    this.#text = text
    this.#whole = whole
    this.#sentences = sentences.map((sentence) => ({ text: sentence, scores: this.#kept.get(sentence.trim()).scores }))
    this.#show()
    // What a keystroke took, up to here: for the line below the bars, and for the tests.
    performance.clearMeasures('typed')
    const took = performance.measure('typed', { start: began, end: performance.now(), detail: text }).duration
    const note = whole?.truncated ? 'Only the first 512 tokens of the whole text are read. ' : ''
    byId('bars-time').textContent = text.trim() ? `${note}in ${count(Math.max(1, Math.round(took)))} ms` : ''
  }

  // [{ scores, truncated }] of texts, those that are known from memory. Dropped when the text is another by then.
  async #score(texts, isCurrent) {
    const keys = texts.map((text) => text.trim())
    const missing = [...new Set(keys)].filter((key) => !this.#kept.has(key))
    const PORTION = 16
    for (let at = 0; at < missing.length && isCurrent(); at += PORTION) {
      const portion = missing.slice(at, at + PORTION)
      const results = await this.#model.label(portion, { allScores: true })
      results.forEach(({ allScores, truncated }, i) => this.#kept.set(portion[i], { scores: allScores, truncated }))
    }
    const found = keys.map((key) => this.#kept.get(key))
    if (this.#kept.size > KEPT)
      for (const key of [...this.#kept.keys()].slice(0, KEPT / 2)) if (!keys.includes(key)) this.#kept.delete(key)
    return found
  }

  #show() {
    this.passage.show(this.#sentences)
    this.#showBars()
    this.#speak()
    this.onshow?.()
  }

  #showBars() {
    const pinned = this.passage.pinned
    const scores = pinned?.scores ?? this.#whole?.scores
    byId('bars-title').textContent = pinned
      ? 'The sentence you chose'
      : this.#sentences.length > 1
        ? 'The whole text'
        : 'Labels'
    byId('bars-back').hidden = !pinned
    if (scores) this.bars.show(scores)
    else this.bars.clear()
  }

  // Once the writing rests.
  #speak = afterQuiet(1200, () => {
    const given = this.#whole ? this.thresholds.given(this.#whole.scores) : []
    const labels = given.map(({ label, score }) => `${this.thresholds.names[label]} ${percent(score)}`)
    say(byId('bars-said'), this.#text.trim() ? `Labels: ${labels.join(', ') || 'none'}` : '')
  })
}
