// SPDX-License-Identifier: Apache-2.0
// What models and heads have in common: lanes that share the batches of a call.
import { MienError, expect, fail } from './errors.js'
import { selector } from './labels.js'
import { nameOf } from './obtain.js'

// mien_row_status
const NOT_FINITE = 1
const TRUNCATED = 2

export class Base {
  #lanes
  #next = 0
  #closing = new AbortController()
  #thresholds

  constructor(lanes, info) {
    this.#lanes = lanes
    this.info = info
    this.dim = info.dim
    this.labelNames = Object.freeze(info.labels ?? [])
    this.#thresholds = Float32Array.from(info.thresholds ?? [])
    this.thresholds = Object.freeze(Object.fromEntries(this.labelNames.map((label, i) => [label, info.thresholds[i]])))
  }

  dispose() {
    const error = new MienError('disposed', 'the model was used after dispose()')
    this.#closing.abort(error)
    for (const lane of this.#lanes) lane.close(error)
  }

  get closed() {
    return this.#closing.signal
  }

  get lanes() {
    return this.#lanes.length
  }

  selector(options) {
    if (!this.labelNames.length) fail('argument', 'the model has no head, and so no labels')
    return selector(this.labelNames, this.#thresholds.slice(), options)
  }

  onEveryLane(job) {
    return Promise.all(this.#lanes.map(job))
  }

  // Runs call(batch) of every batch, as many at once as there are lanes, and gives each to take(batch, result). Calls
  // begin on lanes in turn: those of one text use all of them too.
  async runBatches(batches, call, take, signal) {
    this.closed.throwIfAborted()
    const left = batches[Symbol.iterator]()
    const first = this.#next++
    let failed
    const drive = async (_, i, lanes) => {
      for (let next; !failed && !(next = left.next()).done;) {
        signal?.throwIfAborted()
        take(next.value, await lanes[(first + i) % lanes.length].run(...call(next.value)))
      }
    }
    const stop = (error) => {
      failed = true
      throw error
    }
    await Promise.all(this.#lanes.map((...lane) => drive(...lane).catch(stop)))
    signal?.throwIfAborted()
  }

  resultOf(select, scores, i, status) {
    const width = this.labelNames.length
    const result = select(scores.subarray(i * width, (i + 1) * width))
    if (status === NOT_FINITE) return { ...result, labels: [], error: 'NaN or infinity in the embedding' }
    return status === TRUNCATED ? { ...result, truncated: true } : result
  }
}

/** JSON of thresholds, however it is given. */
export function thresholdsJson(given) {
  if (given === undefined || typeof given === 'string') return given
  expect(given && typeof given === 'object', 'thresholds', 'an object or its JSON', given)
  const isBytes = given instanceof ArrayBuffer || ArrayBuffer.isView(given)
  return isBytes ? new TextDecoder().decode(given) : JSON.stringify(given)
}

/** What was thrown while `source` was opened. The core has bytes alone, and calls them memory. */
export function named(error, source) {
  if (error instanceof MienError) error.message = error.message.replace('<memory>', () => nameOf(source))
  return error
}
