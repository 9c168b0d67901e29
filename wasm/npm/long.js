// SPDX-License-Identifier: Apache-2.0
// Texts that are longer than the model reads, labelled span by span.
import { expect, fail } from './errors.js'

// Texts that are cut at once, and spans that there is room for: a text of more is cut again, alone.
const BATCH_TEXTS = 16
const SPANS = 16

const SPANS_KIND = 2 // of Engine's runTexts

function choose(what, choices, value) {
  if (choices.includes(value)) return value
  const wanted = choices.map((choice) => `'${choice}'`).join(' or ')
  if (typeof value === 'string') fail('argument', `${what}: expected ${wanted}, found '${value}'`)
  expect(false, what, wanted, value)
}

// What gives for offsets in a text's UTF-8, in ascending order, those in its UTF-16. A surrogate alone is encoded as
// U+FFFD, which has three bytes as it would.
function toUtf16(text) {
  let at = 0
  let bytes = 0
  return (offset) => {
    for (let code; bytes < offset; at += code > 0xffff ? 2 : 1) {
      code = text.codePointAt(at)
      bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    }
    return at
  }
}

// { start, end } of each span of each text; of a text that is short enough, an empty array.
async function split(model, texts, signal) {
  const all = texts.map(() => [])
  const again = []
  const call = ({ from, to, columns }) => ['texts', { texts: texts.slice(from, to), columns, kind: SPANS_KIND }]
  const take = ({ from, to, columns }, { values }) => {
    const numbers = new Uint32Array(values.buffer)
    for (let i = from; i < to; i++) {
      const row = numbers.subarray((i - from) * columns, (i - from + 1) * columns)
      const n = row[0]
      if (1 + 2 * n > columns) again.push({ from: i, to: i + 1, columns: 1 + 2 * n })
      else if (n > 1) {
        const place = toUtf16(texts[i])
        all[i] = Array.from({ length: n }, (_, k) => ({ start: place(row[1 + 2 * k]), end: place(row[2 + 2 * k]) }))
      }
    }
  }
  const batches = []
  for (let from = 0; from < texts.length; from += BATCH_TEXTS)
    batches.push({ from, to: Math.min(from + BATCH_TEXTS, texts.length), columns: 1 + 2 * SPANS })
  await model.runBatches(batches, call, take, signal)
  await model.runBatches(again, call, take, signal)
  return all
}

// Label by label the highest of all rows, or their mean: as mien_pool_scores has it, a sum of doubles rounded once.
function poolOf(rows, mean) {
  return rows[0].map((_, l) => {
    const scores = rows.map((row) => row[l])
    return mean ? scores.reduce((sum, score) => sum + score, 0) / rows.length : scores.reduce((a, b) => Math.max(a, b))
  })
}

/** Of a model: texts, one or an array of them, to results with spans where a text was split. */
export async function labelLong(model, texts, { long, pool, ...options }) {
  if (long === undefined || choose('long', ['truncate', 'split'], long) === 'truncate') {
    if (pool !== undefined) fail('argument', "pool: is for long: 'split'")
    return model.label(texts, options)
  }
  const mean = choose('pool', ['max', 'mean'], pool ?? 'max') === 'mean'
  const select = model.selector(options)
  const one = typeof texts === 'string'
  expect(one || Array.isArray(texts), 'text', 'a string or an array of strings', texts)
  const list = one ? [texts] : Array.from(texts)
  list.forEach((text, i) => expect(typeof text === 'string', `texts[${i}]`, 'a string', text))
  const spans = await split(model, list, options.signal)
  const pieces = list.flatMap((text, i) =>
    spans[i].length ? spans[i].map(({ start, end }) => text.slice(start, end)) : [text]
  )
  const labelled = await model.label(pieces, { ...options, allScores: true })
  const keep = ({ labels, allScores }) => (options.allScores ? { labels, allScores } : { labels })
  let next = 0
  const results = spans.map((own) => {
    const found = labelled.slice(next, (next += own.length || 1))
    const isTruncated = found.some(({ truncated }) => truncated)
    const failed = found.find(({ error }) => error)
    const pooled = () =>
      poolOf(
        found.map(({ allScores }) => allScores),
        mean
      )
    return {
      ...(own.length ? select(pooled()) : keep(found[0])),
      ...(own.length && { spans: own.map((span, k) => ({ ...span, ...keep(found[k]) })) }),
      ...(isTruncated && { truncated: true }),
      ...(failed && { labels: [], error: failed.error })
    }
  })
  return one ? results[0] : results
}
