// SPDX-License-Identifier: Apache-2.0
// A model and what runs it, behind calls whose arguments can be sent to a worker.
import { Engine } from './engine.js'

export class Runner {
  #engine
  #baseline
  #options

  open({ module, bytes, thresholds, maxTokens, head }) {
    this.#baseline = module
    this.#options = [thresholds, maxTokens]
    this.#engine = new Engine(module, head && 'mien_open_head')
    if (head) this.#engine.openHead(bytes, thresholds)
    else this.#engine.open(bytes, thresholds, maxTokens)
    return this.#engine.describe()
  }

  texts({ texts, columns, kind }) {
    try {
      return this.#engine.runTexts(texts, columns, kind)
    } catch (error) {
      if (error.code !== 'unsupported') throw error
      this.#switch(new Engine(this.#baseline))
      return this.#engine.runTexts(texts, columns, kind)
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
