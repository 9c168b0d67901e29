// SPDX-License-Identifier: Apache-2.0
// One instance of a module of the core: bytes and texts go into its memory, scores come out. Synchronous, on whatever
// thread it is on. Addresses are unsigned (memory grows up to 4 GB), and views of the memory are made anew after
// every call, since growth detaches them.
import { MienError, fail } from './errors.js'

const decoder = new TextDecoder()
const encoder = new TextEncoder()

// mien_status, as mien.h numbers it.
const CODES = ['', 'internal', 'argument', 'input', 'resource', 'cancelled']

// What mien_run_texts says where relaxed SIMD is of no use after all.
const INEXACT = -1

const megabytes = (n) => `${(n / 1e6).toFixed(1)} MB`

export class Engine {
  #core
  #memory
  #handle = 0
  #pack

  // opener: what the module has to export.
  constructor(module, opener = 'mien_open') {
    let exports = {}
    try {
      exports = new WebAssembly.Instance(module, {}).exports
    } catch (cause) {
      if (cause instanceof RangeError) fail('resource', `no memory for another module: ${cause.message}`, cause)
    }
    if (!exports[opener]) fail('argument', "module: is not this package's own")
    this.#core = exports
    this.#memory = exports.memory
    exports._initialize()
  }

  // A pack. bytes: ArrayBuffer. thresholds: JSON text, or undefined. maxTokens: 0 is the model's own.
  open(bytes, thresholds, maxTokens) {
    const at = this.#put(new Uint8Array(bytes), 'the model')
    this.#pack = [at, bytes.byteLength]
    this.#opened((json, size) => this.#core.mien_open(at, bytes.byteLength, json, size, maxTokens), thresholds)
  }

  // A head in ONNX.
  openHead(bytes, thresholds) {
    const at = this.#put(new Uint8Array(bytes), 'the model')
    try {
      this.#opened((json, size) => this.#core.mien_open_head(at, bytes.byteLength, json, size), thresholds)
    } finally {
      this.#core.mien_give(at)
    }
  }

  #opened(open, thresholds) {
    const json = thresholds === undefined ? null : encoder.encode(thresholds)
    const at = json ? this.#put(json, 'thresholds') : 0
    this.#handle = this.#guarded(() => open(at, json ? json.length : 0)) >>> 0
    this.#core.mien_give(at)
    if (!this.#handle) throw this.#error()
  }

  // The pack again, which the core has taken over as it is.
  pack() {
    const [at, size] = this.#pack
    return this.#memory.buffer.slice(at, at + size)
  }

  // Whether the module can be used on this engine.
  get isExact() {
    return this.#core.mien_check() === 0
  }

  // Milliseconds of the fastest of some products, as those are that models spend their time on.
  trial() {
    let least = Infinity
    for (let i = 0; i < 8; i++) {
      const start = performance.now()
      if (this.#core.mien_trial(4)) return Infinity
      least = Math.min(least, performance.now() - start)
    }
    return least
  }

  // What the model is, as `mien inspect --json` prints it, with the instruction set that runs it.
  describe() {
    const info = JSON.parse(this.#string(this.#core.mien_describe(this.#handle)))
    return { ...info, isa: this.#string(this.#core.mien_isa_of(this.#handle)) }
  }

  // { values: Float32Array [n × columns], status: Uint8Array [n] }. kind: 0 scores, 1 embeddings, 2 spans, whose values
  // are whole numbers of 32 bits: how many there are, and of those that the columns hold the start and the end in UTF-8.
  runTexts(texts, columns, kind) {
    const n = texts.length
    // UTF-8 has at most three bytes for each of UTF-16's units: one pass over the texts, into one allocation.
    const capacity = texts.reduce((sum, text) => sum + 3 * text.length, 0)
    const table = this.#take(8 * n + capacity, 'texts')
    const bytes = table + 8 * n
    try {
      const target = new Uint8Array(this.#memory.buffer, bytes, capacity)
      const pairs = new Uint32Array(this.#memory.buffer, table, 2 * n)
      let used = 0
      texts.forEach((text, i) => {
        pairs[2 * i] = bytes + used
        pairs[2 * i + 1] = encoder.encodeInto(text, target.subarray(used)).written
        used += pairs[2 * i + 1]
      })
      return this.#run(n, columns, (values, status) =>
        this.#core.mien_run_texts(this.#handle, table, n, kind, columns, values, status)
      )
    } finally {
      this.#core.mien_give(table)
    }
  }

  // The same of embeddings: Float32Array [n × D], one after the other.
  runRows(rows, n, columns) {
    const at = this.#put(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength), 'embeddings')
    try {
      return this.#run(n, columns, (values, status) => this.#core.mien_run_rows(this.#handle, at, n, values, status))
    } finally {
      this.#core.mien_give(at)
    }
  }

  #run(n, columns, call) {
    const values = this.#take(4 * n * columns + n, 'results')
    const status = values + 4 * n * columns
    try {
      const code = this.#guarded(() => call(values, status))
      if (code === INEXACT) fail('unsupported', 'relaxed SIMD is not exact here')
      if (code) throw this.#error()
      return {
        values: new Float32Array(this.#memory.buffer, values, n * columns).slice(),
        status: new Uint8Array(this.#memory.buffer, status, n).slice()
      }
    } finally {
      this.#core.mien_give(values)
    }
  }

  #take(bytes, what) {
    const at = bytes < 2 ** 32 ? this.#core.mien_take(bytes) >>> 0 : 0
    if (at) return at
    fail('resource', `${what}: no memory for ${megabytes(bytes)}: a module has 4 GB at most`)
  }

  #put(bytes, what) {
    const at = this.#take(bytes.length, what)
    new Uint8Array(this.#memory.buffer, at, bytes.length).set(bytes)
    return at
  }

  #string(at) {
    const bytes = new Uint8Array(this.#memory.buffer, at >>> 0)
    return decoder.decode(bytes.subarray(0, bytes.indexOf(0)))
  }

  #error() {
    return new MienError(CODES[this.#core.mien_error_code()], this.#string(this.#core.mien_error_message()))
  }

  // A trap leaves the instance in an unknown state, which is a bug of ours or an exhausted stack.
  #guarded(call) {
    try {
      return call()
    } catch (cause) {
      fail('internal', `the module stopped: ${cause.message}`, cause)
    }
  }
}
