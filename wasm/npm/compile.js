// SPDX-License-Identifier: Apache-2.0
// The module of the core, compiled once for all models of a page or process.
import { expect, fail } from './errors.js'
import { read, request } from './obtain.js'

const compiled = new Map()

async function compileBytes(bytes, where) {
  if (String.fromCharCode(...new Uint8Array(bytes).subarray(0, 4)) !== '\0asm')
    fail('download', `${where}: is no WebAssembly: is it beside the package's scripts? Else pass it as \`module\``)
  return WebAssembly.compile(bytes).catch((cause) =>
    fail(
      'unsupported',
      `${where}: ${cause.message} (needed: WebAssembly with SIMD, and 'wasm-unsafe-eval' in a content security policy)`,
      cause
    )
  )
}

async function fetchModule(url) {
  const response = await request(url)
  // Compiled as it comes; what fails is said by the other way.
  const streamed = await WebAssembly.compileStreaming?.(response.clone()).catch(() => undefined)
  return streamed ?? compileBytes(await read(response, url, {}), url)
}

/** (given: Module | ArrayBuffer | view | URL | undefined, url of the package's own, read?) -> WebAssembly.Module */
export async function compile(given, url, read) {
  if (given instanceof WebAssembly.Module) return given
  if (given instanceof ArrayBuffer) return compileBytes(given, 'module')
  if (ArrayBuffer.isView(given))
    return compileBytes(new Uint8Array(given.buffer, given.byteOffset, given.byteLength).slice().buffer, 'module')
  const isUrl = given === undefined || typeof given === 'string' || given instanceof URL
  expect(isUrl, 'module', 'a WebAssembly.Module, its bytes or URL', given)
  const key = String(given ?? url())
  if (!compiled.has(key)) {
    const work = (async () => {
      const bytes = await read?.(key)
      return bytes ? compileBytes(bytes, key) : fetchModule(key)
    })()
    compiled.set(key, work)
    work.catch(() => compiled.delete(key))
  }
  return compiled.get(key)
}
