// SPDX-License-Identifier: Apache-2.0
// Models of texts: calls are cut into batches and run on lanes, results are in the order of the texts.
import { Base, named, thresholdsJson } from './base.js'
import { expect, expectWhole } from './errors.js'
import { WorkerLane } from './lane.js'
import { obtain } from './obtain.js'

// What a lane runs before it hears of anything else: some tens of milliseconds.
const BATCH_TEXTS = 16
const BATCH_CHARACTERS = 4096
// After so many a faster module is looked for, where there is one: it takes some tens of milliseconds.
const MANY_TEXTS = 64

// Of what the packages themselves bring.
function hinted(error) {
  if (['input', 'download', 'integrity'].includes(error.code))
    error.message += "; with a bundler, see mien-wasm's README"
  throw error
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

export class Model extends Base {
  #relaxed
  #texts = 0

  constructor(lanes, info, relaxed) {
    super(lanes, info)
    this.#relaxed = relaxed
  }

  async label(texts, options = {}) {
    if ((options.long ?? options.pool) !== undefined) {
      const { labelLong } = await import('./long.js')
      return labelLong(this, texts, options)
    }
    const select = this.selector(options)
    const make = (values, i, status) => this.resultOf(select, values, i, status)
    return this.#run(texts, this.labelNames.length, 0, options.signal, make)
  }

  async embed(texts, { signal } = {}) {
    return this.#run(texts, this.dim, 1, signal, (values, i) => values.slice(i * this.dim, (i + 1) * this.dim))
  }

  // What few need is loaded when they do.
  async *labelStream(texts, options) {
    const { labelStream } = await import('./stream.js')
    yield* labelStream(this, texts, options)
  }

  async labelEmbeddings(embeddings, options) {
    const { labelRows } = await import('./rows.js')
    return labelRows(this, embeddings, options)
  }

  async #run(texts, columns, kind, signal, make) {
    const one = typeof texts === 'string'
    expect(one || Array.isArray(texts), 'text', 'a string or an array of strings', texts)
    // A copy: the caller may change theirs meanwhile, and it has no holes.
    const list = one ? [texts] : Array.from(texts)
    list.forEach((text, i) => expect(typeof text === 'string', `texts[${i}]`, 'a string', text))
    const results = new Array(list.length)
    const call = ([from, to]) => ['texts', { texts: list.slice(from, to), columns, kind }]
    const take = ([from, to], { values, status }) => {
      for (let i = from; i < to; i++) results[i] = make(values, i - from, status[i - from])
    }
    await this.runBatches(batchesOf(list), call, take, signal)
    this.#texts += list.length
    if (this.#texts >= MANY_TEXTS && this.#relaxed) {
      const compile = this.#relaxed
      this.#relaxed = undefined
      // Not waited for, and what there is will do.
      import('./relaxed.js').then(({ hasten }) => hasten(this, compile)).catch(() => {})
    }
    return one ? results[0] : results
  }
}

/** platform -> load. A platform: compile(name, given), localLane(), shipped(), and where it has them startWorker,
 * readFile(source, signal) and relaxed(); index.js, node.js and edge.js are such. */
export function loader(platform) {
  return async function load(source, options = {}) {
    const { signal, maxTokens = 0, workers = 1 } = options
    expectWhole(maxTokens, 'maxTokens', 0)
    expectWhole(workers, 'workers', 1)
    const thresholds = thresholdsJson(options.thresholds)
    const useWorker = (options.worker ?? (workers > 1 || platform.workerByDefault)) && platform.startWorker
    if (!useWorker) expect(workers === 1, 'workers', '1 without workers', workers)
    signal?.throwIfAborted()
    const compiling = platform.compile('mien.wasm', options.module)
    compiling.catch(() => {}) // said below, unless the download fails first
    // Workers start while the model is on its way.
    const lanes = []
    const stop = () => lanes.forEach((lane) => lane.close(signal.reason))
    signal?.addEventListener('abort', stop, { once: true })
    let given = { source }
    try {
      for (let i = 0; i < workers; i++)
        lanes.push(useWorker ? new WorkerLane(platform.startWorker) : await platform.localLane())
      if (source === undefined) given = await platform.shipped()
      if (!globalThis.crypto?.subtle) given.integrity = undefined // a page from http can check nothing
      const obtaining = obtain(given.source, { ...given, ...options }, platform)
      const bytes = await (source === undefined ? obtaining.catch(hinted) : obtaining)
      const module = await (options.module ? compiling : compiling.catch(hinted))
      // The last may have the bytes, the others get copies.
      const opened = lanes.map((lane, i) =>
        lane.run(
          'open',
          { module, bytes, thresholds, maxTokens: Math.min(maxTokens, 1e9) },
          i === workers - 1 ? [bytes] : []
        )
      )
      const [info] = await Promise.all(opened)
      return new Model(lanes, info, options.module ? undefined : platform.relaxed)
    } catch (error) {
      lanes.forEach((lane) => lane.close(error))
      throw named(error, given.source)
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }
}
