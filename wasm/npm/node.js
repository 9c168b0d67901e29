// SPDX-License-Identifier: Apache-2.0
// mien-wasm in Node, Deno and Bun: files, and workers where they are asked for.
import { readFile as readWhole } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'

import { compile } from './compile.js'
import { MienError } from './errors.js'
import { headLoader } from './head.js'
import { LocalLane } from './local.js'
import { loader } from './model.js'

const modules = {
  'mien.wasm': () => new URL('./mien.wasm', import.meta.url),
  'mien-relaxed.wasm': () => new URL('./mien-relaxed.wasm', import.meta.url),
  'mien-head.wasm': () => new URL('./mien-head.wasm', import.meta.url)
}

// A path or a file: URL -> ArrayBuffer; other URLs -> undefined.
async function readFile(source, signal) {
  const text = String(source)
  if (/^[a-z][a-z0-9+.-]+:/i.test(text) && !/^file:/i.test(text)) return undefined
  try {
    const bytes = await readWhole(/^file:/i.test(text) ? new URL(text) : text, { signal })
    return bytes.buffer.byteLength === bytes.byteLength ? bytes.buffer : new Uint8Array(bytes).buffer
  } catch (cause) {
    signal?.throwIfAborted()
    const why = { ENOENT: 'no such file', EISDIR: 'is a folder', EACCES: 'permission denied' }[cause.code]
    throw new MienError('input', `${text}: ${why ?? cause.message}`, { cause })
  }
}

const platform = {
  compile: (name, given) => compile(given, modules[name], readFile),
  relaxed: () => platform.compile('mien-relaxed.wasm'),
  localLane: async () => new LocalLane(),
  workerByDefault: false,
  readFile,

  async shipped() {
    try {
      const { url, integrity, size } = await import('mien-goemotions-tiny')
      return { source: url, integrity, size }
    } catch (cause) {
      throw new MienError(
        'input',
        "the model's package mien-goemotions-tiny is not installed: npm install mien-goemotions-tiny",
        { cause }
      )
    }
  },

  startWorker(receive, failed) {
    // Without the options of the process, of which some, as --input-type, are not for scripts.
    const worker = new Worker(new URL('./worker-node.js', import.meta.url), { execArgv: [] })
    worker.on('message', receive)
    worker.on('error', (error) => failed(error.message))
    worker.unref()
    return {
      post: (message, transfer) => worker.postMessage(message, transfer),
      terminate: () => worker.terminate(),
      busy: (is) => (is ? worker.ref() : worker.unref()) // a process ends when nothing is asked of a model
    }
  }
}

export const load = /* @__PURE__ */ loader(platform)
export const loadHead = /* @__PURE__ */ headLoader(platform)
export { MienError }
