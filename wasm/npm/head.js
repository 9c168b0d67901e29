// SPDX-License-Identifier: Apache-2.0
// Heads: linear classifiers of embeddings, in a module of their own and on the calling thread.
import { Base, named, thresholdsJson } from './base.js'
import { expect } from './errors.js'
import { obtain } from './obtain.js'
import { labelRows, runRows } from './rows.js'

class Head extends Base {
  label(embeddings, options) {
    return labelRows(this, embeddings, options)
  }

  async scores(embeddings, { signal } = {}) {
    expect(embeddings instanceof Float32Array, 'embeddings', 'a Float32Array', embeddings)
    expect(embeddings.length % this.dim === 0, 'embeddings', `rows of ${this.dim} numbers`, embeddings.length)
    return (await runRows(this, embeddings, signal)).scores
  }
}

/** platform -> loadHead. */
export function headLoader(platform) {
  return async function loadHead(source, thresholds, options = {}) {
    const compiling = platform.compile('mien-head.wasm', options.module)
    compiling.catch(() => {}) // said below, unless the download fails first
    const open = { thresholds: thresholdsJson(thresholds), head: true }
    open.bytes = await obtain(source, options, platform)
    open.module = await compiling
    const lane = await platform.localLane()
    const info = await lane.run('open', open).catch((error) => {
      throw named(error, source)
    })
    options.signal?.throwIfAborted()
    return new Head([lane], info)
  }
}
