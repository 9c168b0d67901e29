// SPDX-License-Identifier: Apache-2.0
// Where calls of a Runner are run: in a worker, or on this thread. One call at a time.
import { MienError } from './errors.js'

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

// The next task of this thread, without the delay that timers have.
const pause = () =>
  new Promise((resolve) => {
    if (globalThis.setImmediate) return setImmediate(resolve)
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => resolve(port1.close())
    port2.postMessage(0)
  })

/** On this thread, with a pause before each call, so that a page stays alive and cancelling is heard. */
export class LocalLane {
  #runner
  #closed

  constructor(runner) {
    this.#runner = runner
  }

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
