// SPDX-License-Identifier: Apache-2.0
// Models on the calling thread.
import { Runner } from './runner.js'

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
