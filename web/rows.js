// SPDX-License-Identifier: Apache-2.0
// The labelled rows of a file: texts, scores, and each row's labels as bits, which follow the thresholds. Sums for the
// charts are kept as rows come and as bits flip, so that moving a threshold is one pass over one column of scores.

const BLOCK = 4096 // rows of a block of scores

const PENDING = 0
const DONE = 1
const BAD = 2
const TRUNCATED = 3

export class Rows {
  n = 0
  done = 0
  bad = 0
  truncated = 0
  unlabelled = 0
  unreadable = 0 // texts with bytes that are no UTF-8
  texts = []
  problems = new Map()
  #blocks = []
  #bits = new Uint32Array(1024)
  #status = new Uint8Array(1024)

  constructor(thresholds) {
    this.thresholds = thresholds
    this.width = thresholds.names.length
    if (this.width > 32) throw new Error(`a row's labels are 32 bits, and the model has ${this.width} labels`)
    this.counts = new Uint32Array(this.width)
    this.pairs = new Uint32Array(this.width * this.width) // [label, label], both halves, counts on the diagonal
  }

  /** Adds a record, to be labelled unless it has a problem; returns its row. */
  add({ text, line, problem }) {
    const row = this.n++
    if (row === this.#bits.length) {
      this.#bits = grown(this.#bits)
      this.#status = grown(this.#status)
    }
    if (row % BLOCK === 0) this.#blocks.push(new Float32Array(BLOCK * this.width))
    this.texts.push(text)
    if (text?.includes('\ufffd')) this.unreadable++
    if (problem !== undefined) {
      this.problems.set(row, `line ${line}: ${problem}`)
      this.#status[row] = BAD
      this.bad++
      this.done++
    }
    return row
  }

  setScores(row, scores, isTruncated) {
    this.scoresOf(row).set(scores)
    this.#status[row] = isTruncated ? TRUNCATED : DONE
    if (isTruncated) this.truncated++
    this.done++
    let bits = 0
    for (let label = 0; label < this.width; label++)
      if (scores[label] > this.thresholds.values[label]) bits |= 1 << label
    this.#bits[row] = bits
    this.#count(bits, 1)
    if (!bits) this.unlabelled++
  }

  /** A row that has no labels after all. */
  setProblem(row, problem) {
    this.problems.set(row, problem)
    this.#status[row] = BAD
    this.bad++
    this.done++
  }

  /** Forgets what was read but not labelled: rows are labelled in their order. */
  dropPending() {
    let n = this.n
    while (n > 0 && this.#status[n - 1] === PENDING) n--
    // Bad rows behind the first that is pending came too early.
    const first = this.#status.subarray(0, n).indexOf(PENDING)
    if (first >= 0) n = first
    for (let row = n; row < this.n; row++)
      if (this.problems.delete(row)) {
        this.bad--
        this.done--
      }
    this.#status.fill(PENDING, n, this.n)
    this.texts.length = n
    this.n = n
  }

  /** Float32Array: a view, valid until the next row is added. */
  scoresOf(row) {
    const from = (row % BLOCK) * this.width
    return this.#blocks[Math.floor(row / BLOCK)].subarray(from, from + this.width)
  }

  scoreOf(row, label) {
    return this.#blocks[Math.floor(row / BLOCK)][(row % BLOCK) * this.width + label]
  }

  bitsOf(row) {
    return this.#bits[row]
  }

  isLabelled(row) {
    return this.#status[row] === DONE || this.#status[row] === TRUNCATED
  }

  isBad(row) {
    return this.#status[row] === BAD
  }

  isTruncated(row) {
    return this.#status[row] === TRUNCATED
  }

  /** The thresholds of these labels moved. */
  reselect(labels) {
    for (const label of labels) {
      const threshold = this.thresholds.values[label]
      const bit = 1 << label
      for (let row = 0; row < this.n; row++) {
        if (!this.isLabelled(row)) continue
        const before = this.#bits[row]
        const after = this.scoreOf(row, label) > threshold ? before | bit : before & ~bit
        if (after >>> 0 === before) continue
        this.#count(before, -1)
        this.#count(after, 1)
        this.unlabelled += (after ? 0 : 1) - (before ? 0 : 1)
        this.#bits[row] = after
      }
    }
  }

  /** Rows that have all of these labels. */
  pairOf(a, b) {
    return this.pairs[a * this.width + b]
  }

  #count(bits, change) {
    for (let left = bits; left; left &= left - 1) {
      const a = 31 - Math.clz32(left & -left)
      this.counts[a] += change
      this.pairs[a * this.width + a] += change
      for (let others = left & (left - 1); others; others &= others - 1) {
        const b = 31 - Math.clz32(others & -others)
        this.pairs[a * this.width + b] += change
        this.pairs[b * this.width + a] += change
      }
    }
  }
}

function grown(array) {
  const larger = new array.constructor(2 * array.length)
  larger.set(array)
  return larger
}
