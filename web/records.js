// SPDX-License-Identifier: Apache-2.0
// Files as records, read piece by piece: lines of text, CSV by RFC 4180, TSV, JSON lines. Rows, blank lines and what is
// wrong with a row are those of `mien label` (src/corpus): a bad row is a record with a problem, never left out.

/** What is wrong with a file as a whole. */
export class FileProblem extends Error {}

const LONGEST = 16777216
const TOO_LONG = `longer than ${LONGEST} characters`

const FORMATS = {
  txt: 'text',
  text: 'text',
  md: 'text',
  log: 'text',
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  jsonl: 'jsonl',
  ndjson: 'jsonl'
}

/** The format that a file's ending says, or undefined. */
export const formatOf = (name) => FORMATS[/\.([^.]+)$/.exec(name)?.[1].toLowerCase()]

// ---- Bytes to characters

// First bytes of what people take for text. Numbers of other documents: their first letters.
const OTHERS = [
  ['PK\u0003\u0004', 'a spreadsheet, document or archive: save it as CSV or text first'],
  ['%PDF', 'a PDF: copy its text into a text file first'],
  ['\u00d0\u00cf\u0011\u00e0', 'an old spreadsheet or document: save it as CSV or text first'],
  ['\u001f\u008b', 'compressed: unpack it first'],
  ['\u0089PNG', 'a picture'],
  ['\u00ff\u00d8\u00ff', 'a picture'],
  ['PAR1', 'a Parquet file: save it as CSV or JSON lines first']
]

function encodingOf(start) {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le'
  if (start[0] === 0xfe && start[1] === 0xff) return 'utf-16be'
  const letters = String.fromCharCode(...start.subarray(0, 4))
  const other = OTHERS.find(([magic]) => letters.startsWith(magic))
  if (other) throw new FileProblem(`it is ${other[1]}.`)
  if (start.subarray(0, 4096).includes(0))
    throw new FileProblem('it holds bytes that no text has (NUL): it is some other kind of file.')
  return 'utf-8'
}

/** Yields { text, bytes }: pieces of a Blob, and how many of its bytes each was. */
async function* pieces(blob, signal) {
  const reader = blob.stream().getReader()
  try {
    let decoder
    for (;;) {
      const { done, value } = await reader.read()
      signal?.throwIfAborted()
      if (done) break
      decoder ??= new TextDecoder(encodingOf(value))
      yield { text: decoder.decode(value, { stream: true }), bytes: value.length }
    }
    const rest = decoder?.decode()
    if (rest) yield { text: rest, bytes: 0 }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

// ---- Characters to raw rows: { row, line }, or { problem, line }

// The row that is being read, piece by piece.
class Unfinished {
  #rest = ''
  #isTooLong = false

  get isEmpty() {
    return !this.#rest && !this.#isTooLong
  }

  keep(piece) {
    this.#isTooLong ||= this.#rest.length + piece.length > LONGEST
    this.#rest = this.#isTooLong ? '' : this.#rest ? this.#rest + piece : piece
  }

  take(line) {
    const row = this.#rest.endsWith('\r') ? this.#rest.slice(0, -1) : this.#rest
    const found = this.#isTooLong ? { line, problem: TOO_LONG } : { line, row }
    this.#rest = ''
    this.#isTooLong = false
    return found
  }
}

class Lines {
  #row = new Unfinished()
  #line = 1;

  *feed(chunk, isLast) {
    let from = 0
    for (let at; (at = chunk.indexOf('\n', from)) >= 0; from = at + 1) {
      this.#row.keep(chunk.slice(from, at))
      yield this.#row.take(this.#line++)
    }
    this.#row.keep(chunk.slice(from))
    if (isLast && !this.#row.isEmpty) yield this.#row.take(this.#line)
  }
}

// Rows of CSV end at a newline that is not between quotes; quotes are such where a field begins with one.
class QuotedLines {
  #row = new Unfinished()
  #state = 'field'
  #line = 1 // where the row begins
  #newlines = 0 // in it so far
  #opened = 0; // those before its last quoted field

  *feed(chunk, isLast) {
    let start = 0
    let at = 0
    let quote = -2 // the next one from `at` on; -2: not looked for yet
    while (at < chunk.length) {
      if (this.#state === 'quoted') {
        const end = chunk.indexOf('"', at)
        const upTo = end < 0 ? chunk.length : end
        for (let n = at; (n = chunk.indexOf('\n', n)) >= 0 && n < upTo; n++) this.#newlines++
        if (end >= 0) this.#state = 'quote'
        at = end < 0 ? upTo : end + 1
        continue
      }
      if (this.#state === 'quote') {
        // The end of the field, or the first of two that are one.
        this.#state = chunk[at] === '"' ? 'quoted' : 'plain'
        if (this.#state === 'quoted') at++
        continue
      }
      if (this.#state === 'field' && chunk[at] === '"') {
        this.#state = 'quoted'
        this.#opened = this.#newlines
        at++
        continue
      }
      const newline = chunk.indexOf('\n', at)
      const end = newline < 0 ? chunk.length : newline
      if (quote !== -1 && quote < at) quote = chunk.indexOf('"', at)
      // A field that begins with a quote stands behind a comma.
      let comma = -1
      for (let q = quote; q >= 0 && q < end; q = chunk.indexOf('"', q + 1))
        if (q > at && chunk[q - 1] === ',') {
          comma = q - 1
          break
        }
      if (comma >= 0) {
        this.#state = 'field'
        at = comma + 1
        continue
      }
      // A comma at a piece's end leaves a field to begin with the next piece.
      this.#state = end === chunk.length && chunk[end - 1] === ',' ? 'field' : 'plain'
      at = end
      if (newline < 0) break
      this.#row.keep(chunk.slice(start, newline))
      yield this.#row.take(this.#line)
      this.#line += this.#newlines + 1
      this.#newlines = 0
      this.#state = 'field'
      start = at = newline + 1
    }
    this.#row.keep(chunk.slice(start))
    if (!isLast) return
    if (this.#state === 'quoted')
      yield {
        line: this.#line + this.#opened,
        problem: 'a quoted field opens here: expected its closing quote, found the end of the file'
      }
    else if (!this.#row.isEmpty) yield this.#row.take(this.#line)
  }
}

// ---- Rows to fields

/** A row of CSV -> { fields } or { problem }. */
export function splitCsv(row) {
  const fields = []
  for (let at = 0; ; at++) {
    if (row[at] === '"') {
      let field = ''
      let from = at + 1
      for (;;) {
        const quote = row.indexOf('"', from)
        at = quote < 0 ? row.length : quote
        field += row.slice(from, at)
        if (row[at + 1] !== '"' || quote < 0) break
        field += '"'
        from = at + 2
      }
      fields.push(field)
      at++
      if (at < row.length && row[at] !== ',')
        return { problem: "bytes between a field's closing quote and the next comma" }
    } else {
      const comma = row.indexOf(',', at)
      const end = comma < 0 ? row.length : comma
      fields.push(row.slice(at, end))
      at = end
    }
    if (at >= row.length) return { fields }
  }
}

const splitTsv = (row) => ({ fields: row.split('\t') })

// ---- Fields to records

const kindOf = (value) => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return { number: 'a number', boolean: String(value), object: 'an object', string: 'a string' }[typeof value]
}

// JSON.parse takes the last of two members of one name, which loses the first in silence.
function isTwice(line, field) {
  const name = JSON.stringify(field)
  if (line.indexOf(name) === line.lastIndexOf(name)) return false
  let depth = 0
  let found = 0
  for (const [token] of line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (depth === 1 && token.endsWith(':') && JSON.parse(token.slice(0, -1)) === field) found++
  }
  return found > 1
}

/** A line of JSON lines -> { value } or { problem }. */
export function parseLine(line) {
  let value
  try {
    value = JSON.parse(line)
  } catch (error) {
    return { problem: `not JSON: ${error.message}` }
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return { problem: `expected a JSON object, found ${kindOf(value)}` }
  return { value }
}

function textOfLine(line, field) {
  const { value, problem } = parseLine(line)
  if (problem) return { problem }
  if (!Object.hasOwn(value, field)) return { problem: `field '${field}' is missing` }
  if (isTwice(line, field)) return { problem: `field '${field}' is there twice` }
  const text = value[field]
  if (typeof text !== 'string') return { problem: `field '${field}': expected a string, found ${kindOf(text)}` }
  // Half of a character: it has no UTF-8.
  if (text.isWellFormed?.() === false)
    return { problem: `field '${field}': invalid Unicode (half of a surrogate pair)` }
  return { text }
}

class TextReader {
  lines = new Lines()
  read(row) {
    return { text: row }
  }
}

class JsonReader {
  lines = new Lines()
  constructor({ field }) {
    this.field = field
  }
  read(row) {
    return /^[ \t]*$/.test(row) ? undefined : textOfLine(row, this.field)
  }
}

class TableReader {
  #columns
  constructor({ format, column, header }) {
    this.column = column
    this.header = header
    this.split = format === 'csv' ? splitCsv : splitTsv
    this.lines = format === 'csv' ? new QuotedLines() : new Lines()
  }
  read(row) {
    if (!row) return undefined
    const { fields, problem } = this.split(row)
    if (this.#columns === undefined) {
      if (problem) throw new FileProblem(`its first row: ${problem}.`)
      this.#columns = fields.length
      if (this.header) return undefined
    }
    if (problem) return { problem }
    if (fields.length !== this.#columns) return { problem: `expected ${this.#columns} fields, found ${fields.length}` }
    return { text: fields[this.column] }
  }
}

const READERS = { text: TextReader, jsonl: JsonReader, csv: TableReader, tsv: TableReader }

/**
 * Records of a file: { text, line } or { problem, line }, `line` counted from 1. how: { format, column, header } or
 * { format: 'jsonl', field }. `progress.bytes` is kept at how much of the file the records so far came from.
 */
export async function* records(blob, how, { signal, progress = {} } = {}) {
  const reader = new READERS[how.format](how)
  let before = 0
  progress.bytes = 0
  function* rowsOf({ text, bytes }, isLast) {
    let done = 0
    for (const { row, line, problem } of reader.lines.feed(text, isLast)) {
      const record = problem ? { problem } : reader.read(row)
      done += (row?.length ?? 0) + 1
      if (!record) continue
      progress.bytes = before + Math.min(bytes, (bytes * done) / Math.max(text.length, 1))
      yield { ...record, line }
    }
    before += bytes
    progress.bytes = before
  }
  for await (const piece of pieces(blob, signal)) yield* rowsOf(piece, false)
  yield* rowsOf({ text: '', bytes: 0 }, true)
}

/** The first rows of a file as they stand in it, for who has to say what is in them: [string]. */
export async function firstRows(blob, format, most = 12) {
  const lines = format === 'csv' ? new QuotedLines() : new Lines()
  const start = blob.slice(0, 1 << 18)
  const rows = []
  const take = (found) => {
    for (const { row } of found) {
      if (row?.trim()) rows.push(row)
      if (rows.length === most) return true
    }
    return false
  }
  for await (const { text } of pieces(start)) if (take(lines.feed(text, false))) return rows
  // What the cut left is no row, unless nothing was cut.
  if (start.size === blob.size || !rows.length) take(lines.feed('', true))
  return rows
}
