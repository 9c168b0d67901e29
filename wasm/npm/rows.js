// SPDX-License-Identifier: Apache-2.0
// From embeddings to labels: of heads, and of models that are given what their encoder made.
import { expect } from './errors.js'

const ROWS = 4096 // at once

/** Of a model or a head: embeddings, one or an array of them, to results. */
export async function labelRows(model, embeddings, options = {}) {
  const select = model.selector(options)
  const one = ArrayBuffer.isView(embeddings) || typeof embeddings?.[0] === 'number'
  expect(one || Array.isArray(embeddings), 'embeddings', 'a Float32Array or an array of them', embeddings)
  const rows = one ? [embeddings] : Array.from(embeddings)
  const flat = new Float32Array(rows.length * model.dim)
  rows.forEach((row, i) => {
    expect(row?.length === model.dim, `embeddings[${i}]`, `${model.dim} numbers`, row?.length)
    flat.set(row, i * model.dim)
  })
  const { scores, status } = await runRows(model, flat, options.signal)
  const results = rows.map((_, i) => model.resultOf(select, scores, i, status[i]))
  return one ? results[0] : results
}

/** Rows one after the other to { scores, status }. */
export async function runRows(model, flat, signal) {
  const columns = model.labelNames.length
  const n = flat.length / model.dim
  const scores = new Float32Array(n * columns)
  const status = new Uint8Array(n)
  const starts = Array.from({ length: Math.ceil(n / ROWS) }, (_, i) => i * ROWS)
  const call = (at) => {
    const rows = flat.slice(at * model.dim, (at + ROWS) * model.dim)
    return ['rows', { rows, n: rows.length / model.dim, columns }, [rows.buffer]]
  }
  const take = (at, result) => {
    scores.set(result.values, at * columns)
    status.set(result.status, at)
  }
  await model.runBatches(starts, call, take, signal)
  return { scores, status }
}
