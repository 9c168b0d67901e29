// SPDX-License-Identifier: Apache-2.0
// What is in a file: guesses of its format, of which column or field is the text, whether there is a header. The user has
// the last word, and is asked where a guess is all there is.
import { FileProblem, firstRows, formatOf, parseLine, splitCsv } from './records.js'

const LIKELY =
  /^(text|texts|comment|comments|body|message|review|content|sentence|tweet|post|answer|response|feedback|title)$/i

const mean = (numbers) => numbers.reduce((sum, n) => sum + n, 0) / Math.max(numbers.length, 1)

// A header's cells are short, differ, and none is a number.
const looksLikeHeader = (cells) =>
  new Set(cells).size === cells.length &&
  cells.every((cell) => cell.length <= 40 && !/^[-+.\d,\s]+$/.test(cell)) &&
  !cells.includes('')

/** The likeliest of named columns, with `is` true where its name leaves no doubt. */
function guess(names, rows) {
  const exact = names.indexOf('text')
  if (exact >= 0) return { at: exact, isSure: true }
  const named = names.findIndex((name) => LIKELY.test(name))
  if (named >= 0) return { at: named, isSure: false }
  const lengths = names.map((_, i) => mean(rows.map((row) => String(row[i] ?? '').length)))
  return { at: lengths.indexOf(Math.max(...lengths)), isSure: names.length === 1 }
}

/**
 * What a file looks like: { how, isSure, columns: [{ value, name }], samples: [string] }. `given` has what the user said:
 * format, header, column or field.
 */
export async function look(file, given = {}) {
  const format = given.format ?? formatOf(file.name) ?? (/\.json$/i.test(file.name) ? 'jsonl' : 'text')
  const rows = await firstRows(file, format)
  if (!rows.length) throw new FileProblem(file.size ? 'it has blank lines alone.' : 'it is empty.')
  if (format === 'text') return { how: { format }, isSure: Boolean(formatOf(file.name)), columns: [], samples: rows }
  return format === 'jsonl' ? lookAtJson(rows, given) : lookAtTable(rows, format, given)
}

function lookAtJson(rows, given) {
  const values = rows.map((row) => parseLine(row).value).filter(Boolean)
  if (!values.length)
    throw new FileProblem(
      'none of its first lines is a JSON object. JSON lines have one object a line, as {"text": "…"}.'
    )
  const names = [...new Set(values.flatMap((value) => Object.keys(value)))]
  const texts = names.filter((name) => values.some((value) => typeof value[name] === 'string'))
  if (!texts.length) throw new FileProblem('its objects have no field that is a string.')
  const { at, isSure } = guess(
    texts,
    values.map((value) => texts.map((name) => value[name]))
  )
  const field = texts.includes(given.field) ? given.field : texts[at]
  return {
    how: { format: 'jsonl', field },
    isSure,
    columns: texts.map((name) => ({ value: name, name })),
    samples: values.map((value) => value[field]).filter((text) => typeof text === 'string')
  }
}

function lookAtTable(rows, format, given) {
  const cells = rows.map((row) => (format === 'csv' ? (splitCsv(row).fields ?? []) : row.split('\t')))
  const header = given.header ?? looksLikeHeader(cells[0])
  const body = header ? cells.slice(1) : cells
  const names = cells[0].map((cell, i) => (header ? cell || `column ${i}` : `column ${i}`))
  const { at, isSure } = guess(names, body)
  const column = given.column < names.length ? given.column : at
  return {
    how: { format, header, column },
    isSure: header && isSure,
    columns: names.map((name, value) => ({ value, name })),
    samples: body.map((row) => row[column]).filter((text) => text !== undefined)
  }
}
