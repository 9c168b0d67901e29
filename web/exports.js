// SPDX-License-Identifier: Apache-2.0
// Labelled rows as files, in the formats of `mien label`.
import { shortest } from './numbers.js'

const PIECE = 20000 // rows between which the page gets a turn

const quoted = (field) => (/[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)

function csvLine(rows, row, allScores) {
  const names = rows.thresholds.names
  const isBad = rows.isBad(row)
  const labels = isBad ? [] : rows.thresholds.given(rows.scoresOf(row)).map(({ label }) => names[label])
  const cells = [row, '', quoted(labels.join('|')), isBad ? quoted(rows.problems.get(row)) : '']
  if (allScores) cells.push(...Array.from(rows.scoresOf(row), (score) => (isBad ? '' : shortest(score))))
  return cells.join(',')
}

function jsonLine(rows, row, allScores) {
  if (rows.isBad(row)) return `{"row":${row},"error":${JSON.stringify(rows.problems.get(row))}}`
  const scores = rows.scoresOf(row)
  const given = rows.thresholds.given(scores)
  const labels = given.map(({ label }) => JSON.stringify(rows.thresholds.names[label])).join(',')
  const all = allScores ? `,"all_scores":[${Array.from(scores, shortest).join(',')}]` : ''
  const cut = rows.isTruncated(row) ? ',"truncated":true' : ''
  return `{"row":${row},"labels":[${labels}],"scores":[${given.map(({ score }) => shortest(score)).join(',')}]${all}${cut}}`
}

/** A Blob of all rows. format: 'csv' or 'jsonl'. */
export async function fileOf(rows, format, allScores) {
  const line = format === 'csv' ? csvLine : jsonLine
  const parts = []
  if (format === 'csv')
    parts.push(
      ['row', 'id', 'labels', 'error', ...(allScores ? rows.thresholds.names.map(quoted) : [])].join(',') + '\n'
    )
  for (let from = 0; from < rows.n; from += PIECE) {
    let part = ''
    for (let row = from; row < Math.min(rows.n, from + PIECE); row++) part += line(rows, row, allScores) + '\n'
    parts.push(part)
    await new Promise((resolve) => setTimeout(resolve))
  }
  return new Blob(parts, { type: format === 'csv' ? 'text/csv' : 'application/jsonl' })
}
