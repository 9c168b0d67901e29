// SPDX-License-Identifier: Apache-2.0
// What load and loadHead give: models whose calls are cut into batches and run on lanes, in the order of the texts.
import { MienError, kindOf } from './errors.js'
import { selector } from './labels.js'
import { nameOf, obtain } from './obtain.js'
import { LocalLane, WorkerLane } from './runner.js'

// What a lane runs before it hears of anything else: some tens of milliseconds.
const BATCH_TEXTS = 16
const BATCH_CHARACTERS = 4096
const ROWS = 4096
// After so many a faster module is looked for, where there is one: it takes some tens of milliseconds.
const MANY_TEXTS = 64

// mien_row_status
const NOT_FINITE = 1
const TRUNCATED = 2

const expect = (is, what, wanted, value) => {
  if (!is) throw new MienError('argument', `${what}: expected ${wanted}, found ${kindOf(value)}`)
}

function* batchesOf(texts) {
  for (let at = 0, end; at < texts.length; at = end) {
    let characters = 0
    end = at
    do characters += texts[end++].length
    while (end < texts.length && end - at < BATCH_TEXTS && characters + texts[end].length <= BATCH_CHARACTERS)
    yield [at, end]
  }
}

class Base {
  #lanes
  #idle
  #waiting = []
  #closed
  #thresholds

  constructor(lanes, info) {
    this.#lanes = lanes
    this.#idle = [...lanes]
    this.info = info
    this.dim = info.dim
    this.labelNames = Object.freeze(info.labels ?? [])
    this.#thresholds = Float32Array.from(info.thresholds ?? [])
    this.thresholds = Object.freeze(Object.fromEntries(this.labelNames.map((label, i) => [label, info.thresholds[i]])))
  }

  dispose() {
    if (this.#closed) return
    this.#closed = new MienError('disposed', 'the model was used after dispose()')
    for (const lane of this.#lanes) lane.close(this.#closed)
    for (const { reject } of this.#waiting) reject(this.#closed)
    this.#lanes = this.#idle = this.#waiting = []
  }

  get lanes() {
    return this.#lanes.length
  }

  selector(options) {
    if (!this.labelNames.length) throw new MienError('argument', 'the model has no head, and so no labels')
    return selector(this.labelNames, this.#thresholds, options)
  }

  // job(lane) on the first lane that is free.
  async #onLane(job) {
    if (this.#closed) throw this.#closed
    const lane = this.#idle.pop() ?? (await new Promise((resolve, reject) => this.#waiting.push({ resolve, reject })))
    try {
      return await job(lane)
    } finally {
      const next = this.#waiting.shift()
      if (next) next.resolve(lane)
      else this.#idle.push(lane)
    }
  }

  onEveryLane(job) {
    return Promise.all(this.#lanes.map(job))
  }

  // Runs (name, argument) of every batch, as many at once as there are lanes, and gives each to take(batch, result).
  async runBatches(batches, call, take, signal) {
    if (this.#closed) throw this.#closed
    const left = batches[Symbol.iterator]()
    let failed = false
    const drive = async () => {
      for (let next; !failed && !(next = left.next()).done;) {
        signal?.throwIfAborted()
        const [name, argument, transfer] = call(next.value)
        take(next.value, await this.#onLane((lane) => lane.run(name, argument, transfer)))
      }
    }
    const guarded = () =>
      drive().catch((error) => {
        failed = true
        throw error
      })
    await Promise.all(this.#lanes.map(guarded))
    signal?.throwIfAborted()
  }

  // Embeddings: one, or an array of them.
  async labelRows(embeddings, options = {}) {
    const select = this.selector(options)
    const one = ArrayBuffer.isView(embeddings) || typeof embeddings?.[0] === 'number'
    expect(one || Array.isArray(embeddings), 'embeddings', 'a Float32Array or an array of them', embeddings)
    const rows = one ? [embeddings] : embeddings
    const flat = new Float32Array(rows.length * this.dim)
    rows.forEach((row, i) => {
      const where = one ? 'embedding' : `embeddings[${i}]`
      expect(
        Array.isArray(row) || row instanceof Float32Array || row instanceof Float64Array,
        where,
        'a Float32Array',
        row
      )
      if (row.length !== this.dim)
        throw new MienError('argument', `${where}: expected ${this.dim} numbers, found ${row.length}`)
      flat.set(row, i * this.dim)
    })
    const { scores, status } = await this.#scoreRows(flat, options.signal)
    const width = this.labelNames.length
    const results = rows.map((_, i) =>
      status[i] === NOT_FINITE
        ? { labels: [], error: 'NaN or infinity in the embedding' }
        : select(scores.subarray(i * width, (i + 1) * width))
    )
    return one ? results[0] : results
  }

  // Float32Array [n × D] -> Float32Array [n × L], NaN for rows with NaN or infinity.
  async scoreRows(flat, { signal } = {}) {
    this.selector({})
    expect(flat instanceof Float32Array, 'embeddings', 'a Float32Array', flat)
    if (flat.length % this.dim)
      throw new MienError('argument', `embeddings: expected rows of ${this.dim} numbers, found ${flat.length} in all`)
    return (await this.#scoreRows(flat, signal)).scores
  }

  async #scoreRows(flat, signal) {
    const width = this.labelNames.length
    const n = flat.length / this.dim
    const scores = new Float32Array(n * width)
    const status = new Uint8Array(n)
    const starts = Array.from({ length: Math.ceil(n / ROWS) }, (_, i) => i * ROWS)
    const call = (at) => {
      const rows = flat.slice(at * this.dim, (at + ROWS) * this.dim)
      return ['rows', { rows, n: rows.length / this.dim, columns: width }, [rows.buffer]]
    }
    const take = (at, result) => {
      scores.set(result.values, at * width)
      status.set(result.status, at)
    }
    await this.runBatches(starts, call, take, signal)
    return { scores, status }
  }
}

export class Model extends Base {
  #faster
  #texts = 0

  constructor(lanes, info, faster) {
    super(lanes, info)
    this.#faster = faster
  }

  async label(texts, options = {}) {
    const select = this.selector(options)
    return this.#run(texts, this.labelNames.length, false, options.signal, (scores, status) => {
      const result = select(scores)
      if (status === NOT_FINITE) return { labels: [], error: 'NaN or infinity in the embedding' }
      return status === TRUNCATED ? { ...result, truncated: true } : result
    })
  }

  async embed(texts, { signal } = {}) {
    return this.#run(texts, this.dim, true, signal, (embedding) => embedding.slice())
  }

  async *labelStream(texts, { batchSize = 64, ...options } = {}) {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new MienError('argument', `batchSize: expected a whole number from 1, found ${batchSize}`)
    const open = texts?.[Symbol.asyncIterator] ?? texts?.[Symbol.iterator]
    expect(open && typeof texts !== 'string', 'texts', 'an iterable of strings', texts)
    const source = open.call(texts)
    const running = []
    const batch = []
    const start = () => {
      const work = this.label(batch.splice(0), options)
      work.catch(() => {}) // said where it is waited for
      running.push(work)
    }
    let row = 0
    let ended = false
    let next
    try {
      while (!ended || running.length) {
        const room = !ended && running.length <= this.lanes
        if (room) next ??= Promise.resolve(source.next())
        // A batch that is not full goes when nothing runs and the source is not ready with more.
        const events = []
        if (room)
          events.push(
            next.then((got) => () => {
              next = undefined
              if (got.done) ended = true
              else {
                expect(typeof got.value === 'string', `texts[${row}]`, 'a string', got.value)
                row++
                batch.push(got.value)
              }
              if (batch.length && (ended || batch.length === batchSize)) start()
            })
          )
        if (running.length) events.push(running[0].then((results) => results))
        else if (batch.length) events.push(new Promise((resolve) => setTimeout(resolve, 0, start)))
        const event = await Promise.race(events)
        if (typeof event === 'function') event()
        else {
          running.shift()
          if (batch.length && !running.length) start()
          yield* event
        }
      }
    } finally {
      if (!ended) await source.return?.()
    }
  }

  labelEmbeddings(embeddings, options) {
    return this.labelRows(embeddings, options)
  }

  async #run(texts, columns, embed, signal, make) {
    const one = typeof texts === 'string'
    expect(one || Array.isArray(texts), 'text', 'a string or an array of strings', texts)
    const list = one ? [texts] : texts
    list.forEach((text, i) => expect(typeof text === 'string', `texts[${i}]`, 'a string', text))
    const results = new Array(list.length)
    const call = ([from, to]) => ['texts', { texts: list.slice(from, to), columns, embed }]
    const take = ([from, to], { values, status }) => {
      for (let i = from; i < to; i++)
        results[i] = make(values.subarray((i - from) * columns, (i - from + 1) * columns), status[i - from])
    }
    await this.runBatches(batchesOf(list), call, take, signal)
    this.#texts += list.length
    if (this.#texts >= MANY_TEXTS && this.#faster) await this.#hasten()
    return one ? results[0] : results
  }

  // Scores stay what they are, bit for bit.
  async #hasten() {
    const faster = this.#faster
    this.#faster = undefined
    if (this.info.dtype !== 'int8') return
    const module = await faster().catch(() => undefined) // what there is will do
    if (module) await this.onEveryLane(async (lane) => (this.info = await lane.run('hasten', { module })))
  }
}

export class Head extends Base {
  label(embeddings, options) {
    return this.labelRows(embeddings, options)
  }

  scores(embeddings, options) {
    return this.scoreRows(embeddings, options)
  }
}

for (const model of [Model, Head]) if (Symbol.dispose) model.prototype[Symbol.dispose] = model.prototype.dispose

// JSON of thresholds, however it is given.
function thresholdsJson(given) {
  if (given === undefined || typeof given === 'string') return given
  if (given instanceof ArrayBuffer || ArrayBuffer.isView(given)) return new TextDecoder().decode(given)
  expect(given && typeof given === 'object', 'thresholds', 'an object or its JSON', given)
  return JSON.stringify(given)
}

// The core has bytes alone, and calls them memory.
function named(error, source) {
  if (error instanceof MienError) error.message = error.message.replace('<memory>', nameOf(source))
  return error
}

/** platform -> { load, loadHead }: see web.js for what a platform is. */
export function loaders(platform) {
  async function load(source, options = {}) {
    const { signal, maxTokens = 0, workers = 1 } = options
    if (!Number.isInteger(maxTokens) || maxTokens < 0 || maxTokens > 0xffffffff)
      throw new MienError('argument', `maxTokens: expected a whole number from 3, found ${maxTokens}`)
    if (!Number.isInteger(workers) || workers < 1 || workers > 256)
      throw new MienError('argument', `workers: expected a whole number from 1 to 256, found ${workers}`)
    const thresholds = thresholdsJson(options.thresholds)
    const useWorker = (options.worker ?? (workers > 1 || platform.workerByDefault)) && platform.startWorker
    if (!useWorker && workers > 1) throw new MienError('unsupported', `workers: expected 1 here, found ${workers}`)
    signal?.throwIfAborted()
    const compiling = platform.compile('mien.wasm', options.module)
    compiling.catch(() => {}) // said below, unless the download fails first
    // Workers start while the model is on its way.
    const lanes = []
    const stop = () => lanes.forEach((lane) => lane.close(signal.reason))
    signal?.addEventListener('abort', stop, { once: true })
    let given = { source }
    try {
      for (let i = 0; i < workers; i++) lanes.push(useWorker ? new WorkerLane(platform.startWorker) : new LocalLane())
      if (source === undefined) given = await platform.shipped()
      const bytes = await obtain(given.source, { ...given, ...options }, platform)
      const module = await compiling
      // The last may have the bytes, the others get copies.
      const opened = lanes.map((lane, i) =>
        lane.run('open', { module, bytes, thresholds, maxTokens }, i === workers - 1 ? [bytes] : [])
      )
      const [info] = await Promise.all(opened)
      return new Model(lanes, info, platform.faster)
    } catch (error) {
      lanes.forEach((lane) => lane.close(error))
      throw named(error, given.source)
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  async function loadHead(source, thresholds, options = {}) {
    const compiling = platform.compile('mien-head.wasm', options.module)
    compiling.catch(() => {})
    const json = thresholdsJson(thresholds)
    const bytes = await obtain(source, options, platform)
    const lane = new LocalLane()
    const open = { module: await compiling, bytes, thresholds: json, head: true }
    const info = await lane.run('open', open).catch((error) => {
      throw named(error, source)
    })
    options.signal?.throwIfAborted()
    return new Head([lane], info)
  }
  return { load, loadHead }
}
