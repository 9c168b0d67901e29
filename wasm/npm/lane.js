// SPDX-License-Identifier: Apache-2.0
// Where calls of a Runner are run: in a worker; local.js has the other place.
import { MienError } from './errors.js'

/** One call at a time. `start(receive, failed)` makes one: { post(message, transfer), terminate(), busy?(bool) }. */
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
