// SPDX-License-Identifier: Apache-2.0
// mien-wasm where WebAssembly comes compiled and there are no workers: edge runtimes, service workers. load and
// loadHead need `module`, a WebAssembly.Module, and name their model.
import { compile } from './compile.js'
import { MienError } from './errors.js'
import { headLoader } from './head.js'
import { LocalLane } from './local.js'
import { loader } from './model.js'

const lacking = (what) => new MienError('argument', what)

const platform = {
  async compile(name, given) {
    if (given === undefined) throw lacking(`module: expected a WebAssembly.Module of mien-wasm/${name}, found nothing`)
    return compile(given)
  },
  localLane: async () => new LocalLane(),
  workerByDefault: false,
  async shipped() {
    throw lacking('model: expected a URL, Response, ArrayBuffer or Blob, found nothing: mien-wasm/edge has no default')
  }
}

export const load = /* @__PURE__ */ loader(platform)
export const loadHead = /* @__PURE__ */ headLoader(platform)
export { MienError }
