// SPDX-License-Identifier: Apache-2.0
// mien-wasm in browsers. Importing it touches nothing.
import { compile } from './compile.js'
import { MienError } from './errors.js'
import { headLoader } from './head.js'
import { loader } from './model.js'

// Literal, so that bundlers find what they name.
const modules = {
  'mien.wasm': () => new URL('./mien.wasm', import.meta.url),
  'mien-relaxed.wasm': () => new URL('./mien-relaxed.wasm', import.meta.url),
  'mien-head.wasm': () => new URL('./mien-head.wasm', import.meta.url)
}
const beside = (name) => new URL(name, modules['mien.wasm']())

function newWorker() {
  try {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
  } catch (error) {
    // Scripts of another origin, as a CDN's, cannot be workers, but can be imported by one.
    if (error.name !== 'SecurityError') throw error
    const script = new Blob([`import ${JSON.stringify(String(beside('worker.js')))}`], {
      type: 'text/javascript'
    })
    return new Worker(URL.createObjectURL(script), { type: 'module' })
  }
}

const platform = {
  compile: (name, given) => compile(given, modules[name]),
  relaxed: () => platform.compile('mien-relaxed.wasm'),
  // What a worker has, for those who do without one.
  async localLane() {
    const { LocalLane } = await import('./local.js')
    return new LocalLane()
  },
  workerByDefault: typeof Worker === 'function',

  // The companion package; where there is nothing that resolves its name, it lies beside this one.
  async shipped() {
    const { url, integrity, size } = await import('mien-goemotions-tiny').catch(
      () => import(/* webpackIgnore: true */ /* @vite-ignore */ beside('../mien-goemotions-tiny/index.js'))
    )
    return { source: url, integrity, size }
  },

  startWorker(receive, failed) {
    const worker = newWorker()
    worker.onmessage = (event) => receive(event.data)
    worker.onmessageerror = () => failed('a message could not be read')
    worker.onerror = (event) => {
      event.preventDefault?.()
      failed(event.message ?? 'it could not be started')
    }
    return { post: (message, transfer) => worker.postMessage(message, transfer), terminate: () => worker.terminate() }
  }
}

export const load = /* @__PURE__ */ loader(platform)
export const loadHead = /* @__PURE__ */ headLoader(platform)
export { MienError }
