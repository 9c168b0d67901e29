// SPDX-License-Identifier: Apache-2.0
// One run over a file: records go to a pool of workers as fast as labels come back, so that little more than what is
// labelled has been read.
import { open } from './model.js'
import { records } from './records.js'

const BATCH = 32 // texts: the first labels come when so many are done
const SECONDS = 6 // over which the rate is a mean

/** As many workers as the machine has cores, each with a copy of the model: some 60 MB. */
export function poolSize() {
  const cores = navigator.hardwareConcurrency || 2
  const most = (navigator.deviceMemory ?? 8) < 4 ? 2 : 8
  return Math.max(1, Math.min(cores, most))
}

/** Rows per second over the last seconds. */
class Rate {
  #marks = []

  add(now, n) {
    this.#marks.push([now, n])
    while (this.#marks.length > 2 && now - this.#marks[0][0] > SECONDS * 1000) this.#marks.shift()
  }

  get perSecond() {
    if (this.#marks.length < 2) return 0
    const [[from, before], [to, after]] = [this.#marks[0], this.#marks[this.#marks.length - 1]]
    return (1000 * (after - before)) / Math.max(to - from, 1)
  }
}

/**
 * Labels the records of a file into rows. onProgress({ share, perSecond, secondsLeft, workers }) is called some times a
 * second. A signal ends it with the signal's reason, with the rows so far in place.
 */
export async function run(file, how, rows, { signal, onProgress }) {
  const workers = poolSize()
  const pool = await open({ workers, signal })
  const progress = { bytes: 0 }
  const rate = new Rate()
  const began = performance.now()
  let told = 0
  const tell = (now) => {
    rate.add(now, rows.done)
    told = now
    // Rows on their way have been read, but are not done.
    const share = Math.min(1, (progress.bytes / Math.max(file.size, 1)) * (rows.done / Math.max(rows.n, 1)))
    const secondsLeft = share > 0 ? (((now - began) / 1000) * (1 - share)) / share : undefined
    onProgress({ share, perSecond: rate.perSecond, secondsLeft, workers })
  }
  const waiting = []
  async function* texts() {
    for await (const record of records(file, how, { signal, progress })) {
      const row = rows.add(record)
      if (record.problem !== undefined) continue
      waiting.push(row)
      yield record.text
    }
  }
  try {
    tell(began)
    for await (const { allScores, truncated, error } of pool.labelStream(texts(), {
      allScores: true,
      batchSize: BATCH,
      signal
    })) {
      const row = waiting.shift()
      if (error) rows.setProblem(row, error)
      else rows.setScores(row, allScores, truncated)
      const now = performance.now()
      if (now - told > 200) tell(now)
    }
  } finally {
    pool.dispose()
    rows.dropPending()
  }
  return { seconds: (performance.now() - began) / 1000, workers }
}
