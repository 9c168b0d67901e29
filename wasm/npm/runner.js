// SPDX-License-Identifier: Apache-2.0
// A model and what runs it, behind calls whose arguments can be sent to a worker. A lane is where calls are run: here,
// or in a worker. One call at a time.
import { Engine } from './engine.js'
import { MienError } from './errors.js'

export class Runner {
  #engine
  #baseline
  #options

  open({ module, bytes, thresholds, maxTokens, head }) {
    this.#baseline = module
    this.#options = [thresholds, maxTokens]
    this.#engine = new Engine(module)
    if (head) this.#engine.openHead(bytes, thresholds)
    else this.#engine.open(bytes, thresholds, maxTokens)
    return this.#engine.describe()
  }

  texts({ texts, columns, embed }) {
    try {
      return this.#engine.runTexts(texts, columns, embed)
    } catch (error) {
      if (error.code !== 'inexact') throw error
      this.#switch(new Engine(this.#baseline))
      return this.#engine.runTexts(texts, columns, embed)
    }
  }

  // Goes over to this module, if it can be used here and is faster. Returns what the model is then.
  hasten({ module }) {
    const engine = new Engine(module)
    if (engine.isExact && engine.trial() < 0.9 * this.#engine.trial() && engine.isExact) this.#switch(engine)
    return this.#engine.describe()
  }

  #switch(engine) {
    engine.open(this.#engine.pack(), ...this.#options)
    this.#engine = engine
  }

  rows({ rows, n, columns }) {
    return this.#engine.runRows(rows, n, columns)
  }
}

// The next task of this thread, without the delay that timers have.
const pause = () =>
  new Promise((resolve) => {
    if (globalThis.setImmediate) return setImmediate(resolve)
    if (!globalThis.MessageChannel) return setTimeout(resolve)
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })

/** On this thread, with a pause before each call, so that a page stays alive and cancelling is heard. */
export class LocalLane {
  #runner = new Runner()
  #closed

  async run(name, argument) {
    await pause()
    if (this.#closed) throw this.#closed
    return this.#runner[name](argument)
  }

  close(error) {
    this.#closed = error
    this.#runner = undefined
  }
}

/** In a worker. `start(receive, failed)` makes one: { post(message, transfer), terminate(), busy?(bool) }. */
export class WorkerLane {
  #calls = new Map()
  #last = 0
  #port
  #closed

  constructor(start) {
    this.#port = start(
      ({ id, result, error }) => {
        const call = this.#calls.get(id)
        this.#calls.delete(id)
        if (!this.#calls.size) this.#port.busy?.(false)
        if (error) call?.reject(new MienError(error.code, error.message))
        else call?.resolve(result)
      },
      (message) =>
        this.close(new MienError('resource', `the worker failed: ${message}; { worker: false } does without`))
    )
  }

  run(name, argument, transfer = []) {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw this.#closed
      const id = ++this.#last
      this.#calls.set(id, { resolve, reject })
      this.#port.busy?.(true)
      this.#port.post({ id, name, argument }, transfer)
    })
  }

  close(error) {
    this.#closed ??= error
    this.#port.terminate()
    for (const { reject } of this.#calls.values()) reject(this.#closed)
    this.#calls.clear()
  }
}

/** The worker's side of it: what takes its messages. */
export function serve(post) {
  const runner = new Runner()
  return ({ id, name, argument }) => {
    try {
      const result = runner[name](argument)
      post({ id, result }, result.values ? [result.values.buffer, result.status.buffer] : [])
    } catch ({ code = 'internal', message }) {
      post({ id, error: { code, message } }, [])
    }
  }
}
