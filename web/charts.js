// SPDX-License-Identifier: Apache-2.0
// What is in a file's rows: how often each label is, as a table of bars, and which labels go together, as a matrix with a
// table of its pairs.
import { draw, make } from './dom.js'
import { count } from './numbers.js'

const share = (part, all) => {
  const of = (100 * part) / Math.max(all, 1)
  return `${of > 0 && of < 10 ? of.toFixed(1) : Math.round(of)}%`
}

/** Bars by count, the most frequent first; choosing one calls onChoose([label]). */
export function frequency(rows, onChoose) {
  const names = rows.thresholds.names
  const labelled = rows.done - rows.bad
  const most = Math.max(1, ...rows.counts)
  const line = (name, n, choose, attributes) =>
    make(
      'tr',
      attributes,
      make('th', { scope: 'row' }, make('button', { type: 'button', class: 'plain', onclick: choose }, name)),
      make('td', { class: 'track', 'aria-hidden': true }, make('span', { class: 'fill', '--at': n / most })),
      make('td', { class: 'number' }, count(n)),
      make('td', { class: 'number' }, share(n, labelled))
    )
  const order = [...names.keys()]
    .filter((label) => rows.counts[label])
    .sort((a, b) => rows.counts[b] - rows.counts[a] || a - b)
  const lines = order.map((label) =>
    line(names[label], rows.counts[label], () => onChoose([label]), { 'data-label': names[label] })
  )
  if (rows.unlabelled)
    lines.push(line('no label', rows.unlabelled, () => onChoose('none'), { 'data-label': '', class: 'none' }))
  return make(
    'table',
    { class: 'frequency' },
    make('caption', { class: 'unseen' }, 'Rows with each label'),
    make(
      'thead',
      { class: 'unseen' },
      make(
        'tr',
        {},
        make('th', { scope: 'col' }, 'Label'),
        make('td'),
        make('th', { scope: 'col' }, 'Rows'),
        make('th', { scope: 'col' }, 'Share')
      )
    ),
    make('tbody', {}, lines)
  )
}

// How close two labels are to always being together: their rows in common over the geometric mean of their rows.
const closeness = (rows, a, b) => rows.pairOf(a, b) / Math.sqrt(Math.max(1, rows.counts[a] * rows.counts[b]))

const CELL = 20
const MARGIN = 104
// The most frequent labels: a matrix of all 28 is a mist, on phones sooner.
const labelsShown = () => (matchMedia('(max-width: 760px)').matches ? 11 : 16)

/** A matrix of the labels that are together with others. */
export function together(rows, onChoose) {
  const names = rows.thresholds.names
  const hasPair = (a) => names.some((_, b) => b !== a && rows.pairOf(a, b))
  const labels = [...names.keys()]
    .filter((label) => rows.counts[label] && hasPair(label))
    .sort((a, b) => rows.counts[b] - rows.counts[a])
    .slice(0, labelsShown())
  if (labels.length < 2) return make('p', { class: 'note' }, 'No row has two labels.')
  // Neighbours are what goes together: each next one is the closest to the last.
  const order = [labels.shift()]
  while (labels.length) {
    const last = order[order.length - 1]
    labels.sort((a, b) => closeness(rows, last, b) - closeness(rows, last, a))
    order.push(labels.shift())
  }
  const most = Math.max(...order.flatMap((a) => order.filter((b) => b !== a).map((b) => closeness(rows, a, b))))
  const size = order.length * CELL
  const cells = []
  order.forEach((a, y) => {
    cells.push(draw('text', { x: MARGIN - 8, y: MARGIN + y * CELL + CELL * 0.7, 'text-anchor': 'end' }, names[a]))
    const turn = `translate(${MARGIN + y * CELL + CELL * 0.65} ${MARGIN - 8}) rotate(-60)`
    cells.push(draw('text', { transform: turn }, names[a]))
    order.forEach((b, x) => {
      const at = { x: MARGIN + x * CELL + 1, y: MARGIN + y * CELL + 1, width: CELL - 2, height: CELL - 2, rx: 3 }
      if (a === b) return cells.push(draw('rect', { ...at, class: 'self' }))
      const n = rows.pairOf(a, b)
      const cell = draw('rect', {
        ...at,
        class: n ? 'pair' : 'no-pair',
        '--at': n ? Math.sqrt(closeness(rows, a, b) / most) : undefined
      })
      if (n) {
        cell.append(
          draw(
            'title',
            {},
            `${names[a]} and ${names[b]}: ${count(n)} rows, ${share(n, rows.counts[a])} of ${names[a]}, ${share(n, rows.counts[b])} of ${names[b]}`
          )
        )
        cell.addEventListener('click', () => onChoose([a, b]))
      }
      cells.push(cell)
    })
  })
  const [top] = pairsOf(rows)
  const said = `Which labels are in one row. Most often: ${names[top.a]} and ${names[top.b]}, in ${count(top.n)} rows. The pairs are a table below.`
  // The slanted names lean out to the right.
  return draw(
    'svg',
    { viewBox: `0 0 ${MARGIN + size + 46} ${MARGIN + size}`, class: 'together', role: 'img', 'aria-label': said },
    cells
  )
}

function pairsOf(rows) {
  const found = []
  for (let a = 0; a < rows.width; a++)
    for (let b = a + 1; b < rows.width; b++) if (rows.pairOf(a, b)) found.push({ a, b, n: rows.pairOf(a, b) })
  return found.sort((x, y) => y.n - x.n)
}

export function pairTable(rows, onChoose) {
  const names = rows.thresholds.names
  const head = ['Pair', 'Rows', 'of the first', 'of the second'].map((name) => make('th', { scope: 'col' }, name))
  const lines = pairsOf(rows).map(({ a, b, n }) =>
    make(
      'tr',
      {},
      make(
        'th',
        { scope: 'row' },
        make(
          'button',
          { type: 'button', class: 'plain', onclick: () => onChoose([a, b]) },
          `${names[a]} and ${names[b]}`
        )
      ),
      make('td', { class: 'number' }, count(n)),
      make('td', { class: 'number' }, share(n, rows.counts[a])),
      make('td', { class: 'number' }, share(n, rows.counts[b]))
    )
  )
  return make('table', { class: 'pairs' }, make('thead', {}, make('tr', {}, head)), make('tbody', {}, lines))
}
