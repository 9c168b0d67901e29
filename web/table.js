// SPDX-License-Identifier: Apache-2.0
// The rows of a file in pages: filtered by label and by what their text has, sorted by a column. Roles are written out,
// since narrow pages show rows as cards, and browsers take a table for what it looks like.
import { afterQuiet, byId, make, say } from './dom.js'
import { count, percent, plural } from './numbers.js'

const PAGE = 50
const SHOWN = 600 // characters of a text

const COLUMNS = [
  { key: 'row', name: 'Row' },
  { key: 'text', name: 'Text' },
  { key: 'score', name: 'Labels' }
]

export class Table {
  #rows
  #found = []
  #page = 0
  #sort = { key: 'row', isDown: false }
  #wanted = '' // what texts are to have
  #labels = [] // places, or 'none', or 'bad'

  constructor(thresholds) {
    this.thresholds = thresholds
    this.search = byId('rows-search')
    this.select = byId('rows-label')
    this.search.addEventListener(
      'input',
      afterQuiet(150, () => this.search.value.trim().toLowerCase() !== this.#wanted && this.#refilter())
    )
    this.select.addEventListener('change', () => this.filter(this.#chosen()))
  }

  show(rows) {
    this.#rows = rows
    this.#page = 0
    this.#sort = { key: 'row', isDown: false }
    this.search.value = ''
    this.filter([])
  }

  /** labels: [place], all of which a row is to have; 'none': rows without any; 'bad': rows that were not labelled. */
  filter(labels) {
    this.#labels = labels
    this.#refilter()
  }

  /** Rows or their labels are others: the same page of them, as they are now. */
  update() {
    if (!this.#rows) return
    this.#fillSelect()
    this.#find()
    this.#draw()
  }

  // What the user asked for is said; rows that come during a run are not.
  #refilter() {
    this.#page = 0
    this.update()
    say(byId('rows-said'), byId('rows-count').textContent)
  }

  #chosen() {
    const value = this.select.value
    if (value === '') return []
    return /^\d/.test(value) ? value.split('+').map(Number) : value
  }

  #fillSelect() {
    const { names } = this.thresholds
    const rows = this.#rows
    const byCount = [...names.keys()]
      .filter((label) => rows.counts[label])
      .sort((a, b) => names[a].localeCompare(names[b]))
    const options = [
      ['', `any (${count(rows.n)})`],
      ...byCount.map((label) => [String(label), `${names[label]} (${count(rows.counts[label])})`])
    ]
    if (rows.unlabelled) options.push(['none', `no label (${count(rows.unlabelled)})`])
    if (rows.bad) options.push(['bad', `not labelled (${count(rows.bad)})`])
    const value = Array.isArray(this.#labels) ? this.#labels.join('+') : this.#labels
    if (!options.some(([key]) => key === value))
      options.push([
        value,
        Array.isArray(this.#labels) ? this.#labels.map((label) => names[label]).join(' + ') : 'none left'
      ])
    this.select.replaceChildren(...options.map(([key, name]) => make('option', { value: key }, name)))
    this.select.value = value
  }

  #find() {
    const rows = this.#rows
    const wanted = (this.#wanted = this.search.value.trim().toLowerCase())
    const labels = this.#labels
    const mask = Array.isArray(labels) ? labels.reduce((bits, label) => bits | (1 << label), 0) : 0
    const found = []
    for (let row = 0; row < rows.n; row++) {
      const isBad = rows.isBad(row)
      if (!isBad && !rows.isLabelled(row)) continue
      if (
        labels === 'bad'
          ? !isBad
          : labels === 'none'
            ? isBad || rows.bitsOf(row)
            : mask && (isBad || (rows.bitsOf(row) & mask) !== mask)
      )
        continue
      if (wanted && !(rows.texts[row] ?? rows.problems.get(row)).toLowerCase().includes(wanted)) continue
      found.push(row)
    }
    this.#found = this.#sorted(found)
    this.#page = Math.min(this.#page, this.#lastPage)
  }

  // By what the column shows. Scores: of the label that is asked for, else of each row's highest.
  #sorted(found) {
    const { key, isDown } = this.#sort
    const rows = this.#rows
    if (key === 'text') found.sort((a, b) => (rows.texts[a] ?? '').localeCompare(rows.texts[b] ?? '') || a - b)
    if (key === 'score') {
      const label = Array.isArray(this.#labels) ? this.#labels[0] : undefined
      const scores = new Float32Array(rows.n)
      for (const row of found)
        if (!rows.isBad(row))
          scores[row] =
            label === undefined ? (this.thresholds.given(rows.scoresOf(row))[0]?.score ?? 0) : rows.scoreOf(row, label)
      found.sort((a, b) => scores[a] - scores[b] || b - a)
    }
    return isDown ? found.reverse() : found
  }

  get #lastPage() {
    return Math.max(0, Math.ceil(this.#found.length / PAGE) - 1)
  }

  #draw() {
    const from = this.#page * PAGE
    const page = this.#found.slice(from, from + PAGE)
    const focused = document.activeElement?.dataset?.sort ?? document.activeElement?.dataset?.page
    byId('rows-table').replaceChildren(
      make(
        'table',
        { class: 'rows', role: 'table' },
        make('caption', { class: 'unseen' }, 'Rows with their labels'),
        make(
          'thead',
          { role: 'rowgroup' },
          make(
            'tr',
            { role: 'row' },
            COLUMNS.map((column) => this.#head(column))
          )
        ),
        make(
          'tbody',
          { role: 'rowgroup' },
          page.map((row) => this.#line(row))
        )
      )
    )
    byId('rows-count').textContent =
      this.#found.length === this.#rows.n
        ? plural(this.#rows.n, 'row')
        : `${count(this.#found.length)} of ${plural(this.#rows.n, 'row')}`
    byId('pages').replaceChildren(...(this.#lastPage ? this.#pages() : []))
    if (focused) document.querySelector(`[data-sort="${focused}"], [data-page="${focused}"]:not(:disabled)`)?.focus()
  }

  #head({ key, name }) {
    const isSorted = this.#sort.key === key
    const direction = isSorted ? (this.#sort.isDown ? 'descending' : 'ascending') : undefined
    const click = () => {
      // Scores are first wanted from the top.
      this.#sort = { key, isDown: isSorted ? !this.#sort.isDown : key === 'score' }
      this.#refilter()
    }
    const arrow = make(
      'span',
      { class: 'arrow', 'aria-hidden': true },
      isSorted ? (this.#sort.isDown ? '↓' : '↑') : '↕'
    )
    return make(
      'th',
      { scope: 'col', role: 'columnheader', 'aria-sort': direction, class: key },
      make('button', { type: 'button', class: 'plain', 'data-sort': key, onclick: click }, name, arrow)
    )
  }

  #line(row) {
    const rows = this.#rows
    const number = make('td', { class: 'row', role: 'cell' }, String(row))
    if (rows.isBad(row))
      return make(
        'tr',
        { class: 'bad', role: 'row' },
        number,
        make('td', { class: 'text', role: 'cell', colspan: 2 }, make('b', {}, 'Not labelled. '), rows.problems.get(row))
      )
    const text = rows.texts[row]
    const chips = this.thresholds.given(rows.scoresOf(row)).map(({ label, score }) => {
      const name = this.thresholds.names[label]
      return make('li', { 'data-label': name }, name, ' ', make('b', {}, percent(score)))
    })
    return make(
      'tr',
      { role: 'row' },
      number,
      make(
        'td',
        { class: 'text', role: 'cell' },
        text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text,
        rows.isTruncated(row) && make('span', { class: 'note' }, ' (first 512 tokens read)')
      ),
      make(
        'td',
        { class: 'labels', role: 'cell' },
        chips.length ? make('ul', { class: 'chips' }, chips) : make('span', { class: 'note' }, 'no label')
      )
    )
  }

  #pages() {
    const last = this.#lastPage
    const go = (page) => () => {
      this.#page = page
      this.#draw()
    }
    const button = (key, name, page, isOn) =>
      make('button', { type: 'button', 'data-page': key, disabled: !isOn, onclick: go(page) }, name)
    return [
      button('first', 'First', 0, this.#page > 0),
      button('back', 'Back', this.#page - 1, this.#page > 0),
      make('span', {}, `Page ${count(this.#page + 1)} of ${count(last + 1)}`),
      button('next', 'Next', this.#page + 1, this.#page < last),
      button('last', 'Last', last, this.#page < last)
    ]
  }
}
