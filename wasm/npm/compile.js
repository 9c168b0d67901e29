// SPDX-License-Identifier: Apache-2.0
// The module of the core, compiled once for all models of a page or process.
import { MienError, kindOf } from './errors.js'

const compiled = new Map()

async function compileBytes(bytes, where) {
  const start = new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength))
  if (String.fromCharCode(...start) !== '\0asm')
    throw new MienError(
      'download',
      `${where}: is no WebAssembly: is it served beside the package's scripts? ` +
        "Vite: optimizeDeps: { exclude: ['mien-wasm', 'mien-goemotions-tiny'] }; else pass its URL or a WebAssembly.Module as `module`"
    )
  try {
    return await WebAssembly.compile(bytes)
  } catch (cause) {
    throw new MienError(
      'unsupported',
      `${where}: ${cause.message} (WebAssembly with SIMD is needed, and a content ` +
        "security policy has to have 'wasm-unsafe-eval')",
      { cause }
    )
  }
}

async function fetchModule(url) {
  let response
  try {
    response = await fetch(url)
  } catch (cause) {
    throw new MienError('download', `${url}: cannot be fetched: ${cause.message}`, { cause })
  }
  if (!response.ok) throw new MienError('download', `${url}: HTTP ${response.status} ${response.statusText}`.trimEnd())
  if (response.headers.get('content-type') === 'application/wasm') {
    // Compiled as it comes; what fails is said by the other way.
    const again = response.clone()
    try {
      return await WebAssembly.compileStreaming(response)
    } catch {
      response = again
    }
  }
  return compileBytes(await response.arrayBuffer(), String(url))
}

/** (given: Module | ArrayBuffer | view | URL | undefined, url of the package's own, read?) -> WebAssembly.Module */
export function compile(given, url, read) {
  if (given instanceof WebAssembly.Module) return Promise.resolve(given)
  if (given instanceof ArrayBuffer) return compileBytes(given, 'module')
  if (ArrayBuffer.isView(given)) return compileBytes(new Uint8Array(given).buffer, 'module')
  if (given !== undefined && typeof given !== 'string' && !(given instanceof URL))
    return Promise.reject(
      new MienError('argument', `module: expected a WebAssembly.Module, its bytes or URL, found ${kindOf(given)}`)
    )
  const key = String(given ?? url)
  if (!compiled.has(key)) {
    const work = (async () => {
      const bytes = await read?.(given ?? url)
      return bytes ? compileBytes(bytes, key) : fetchModule(key)
    })()
    compiled.set(key, work)
    work.catch(() => compiled.delete(key))
  }
  return compiled.get(key)
}
