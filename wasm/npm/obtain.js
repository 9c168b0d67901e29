// SPDX-License-Identifier: Apache-2.0
// The bytes of a model, wherever they are: memory, a Blob, a Response, a URL, a file where the platform has files.
// Checked against a hash where one is given, and then kept in the Cache API under it.
import { MienError, kindOf } from './errors.js'

const CACHE = 'mien-wasm'

const fail = (code, message, cause) => {
  throw new MienError(code, message, { cause })
}

// 'sha256-…' in base64 or in hex, or 64 digits of hex -> ['SHA-256', hex]
function readIntegrity(text) {
  const [, bits = '256', digest] = /^(?:sha(256|384|512)-)?(.*)$/s.exec(String(text))
  const digits = bits / 4
  if (/^[0-9a-f]+$/i.test(digest) && digest.length === digits) return [`SHA-${bits}`, digest.toLowerCase()]
  let hex = ''
  try {
    hex = Array.from(atob(digest), (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('')
  } catch {
    // said below
  }
  if (hex.length === digits) return [`SHA-${bits}`, hex]
  fail('argument', `integrity: expected sha256-, sha384- or sha512- and the hash in base64 or hex, found '${text}'`)
}

async function hashOf(bytes, algorithm, where) {
  const { subtle } = globalThis.crypto ?? {}
  if (!subtle) fail('unsupported', `${where}: cannot be checked: hashes are only for pages from https or localhost`)
  const digest = new Uint8Array(await subtle.digest(algorithm, bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function read(response, where, { onProgress, signal, size }) {
  if (response.type === 'opaque') fail('download', `${where}: its server does not allow this page to read it (CORS)`)
  if (!response.ok) fail('download', `${where}: HTTP ${response.status} ${response.statusText}`.trimEnd())
  if (response.bodyUsed) fail('argument', `${where}: the response has been read already`)
  // With a Content-Encoding the length is that of the encoded bytes.
  const length = response.headers.get('content-encoding') ? null : response.headers.get('content-length')
  const total = length === null ? size : Number(length)
  // One allocation where the length is known.
  let bytes = new Uint8Array(total ?? 1 << 20)
  let loaded = 0
  const reader = response.body?.getReader()
  // A Response that was made here does not hear of the signal.
  const stop = () => reader.cancel(signal.reason).catch(() => {})
  signal?.addEventListener('abort', stop, { once: true })
  try {
    onProgress?.({ loaded, total })
    while (reader) {
      const { done, value } = await reader.read()
      signal?.throwIfAborted()
      if (done) break
      if (loaded + value.length > bytes.length) {
        const larger = new Uint8Array(Math.max(loaded + value.length, 2 * bytes.length))
        larger.set(bytes)
        bytes = larger
      }
      bytes.set(value, loaded)
      loaded += value.length
      onProgress?.({ loaded, total })
    }
  } catch (cause) {
    signal?.throwIfAborted()
    if (!(cause instanceof TypeError) && cause?.name !== 'AbortError' && cause?.name !== 'NetworkError') throw cause
    fail('download', `${where}: broke off after ${loaded} of ${total ?? 'unknown'} bytes: ${cause.message}`, cause)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  if (length !== null && loaded !== total)
    fail('download', `${where}: truncated: expected ${total} bytes, found ${loaded}`)
  return loaded === bytes.length ? bytes.buffer : bytes.buffer.slice(0, loaded)
}

async function download(url, options) {
  let response
  try {
    response = await fetch(url, { signal: options.signal })
  } catch (cause) {
    options.signal?.throwIfAborted()
    fail('download', `${url}: cannot be fetched: ${cause.cause?.message ?? cause.message}`, cause)
  }
  return read(response, url, options)
}

// Storage may be full, private or forbidden: a cache that fails is no cache.
async function attempt(work) {
  try {
    return await work()
  } catch {
    return undefined
  }
}

/** What errors call a source. */
export function nameOf(source) {
  if (source instanceof Blob) return source.name ?? 'the Blob'
  if (source instanceof Response) return source.url || 'the Response'
  return typeof source === 'string' || source instanceof URL ? String(source) : 'the bytes'
}

/** source -> ArrayBuffer, the caller's own: never one that was given. */
export async function obtain(source, options, platform) {
  const { signal, integrity, cache = true } = options
  signal?.throwIfAborted()
  const expected = integrity === undefined ? undefined : readIntegrity(integrity)
  const where = nameOf(source)
  const check = async (bytes) => {
    const found = expected && (await hashOf(bytes, expected[0], where))
    if (expected && found !== expected[1])
      fail('integrity', `${where}: is not what was expected: ${expected[0]} ${expected[1]}, found ${found}`)
    return bytes
  }

  if (source instanceof ArrayBuffer) return check(source.slice(0))
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteOffset, byteLength } = source
    return check(new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength)).buffer)
  }
  if (source instanceof Blob) return check(await read(new Response(source), where, { ...options, size: source.size }))
  if (source instanceof Response) return check(await read(source, where, options))
  if (typeof source !== 'string' && !(source instanceof URL))
    fail('argument', `model: expected a URL, Response, ArrayBuffer, Blob or path, found ${kindOf(source)}`)

  const file = await platform.readFile?.(source, signal)
  if (file) {
    options.onProgress?.({ loaded: file.byteLength, total: file.byteLength })
    return check(file)
  }
  const kept = expected && cache && globalThis.caches
  if (!kept) return check(await download(where, options))
  const name = typeof cache === 'string' ? cache : CACHE
  const key = `https://mien-wasm.invalid/${expected.join('/')}`
  // It was checked before it was put there.
  const found = await attempt(async () => {
    const hit = await (await caches.open(name)).match(key)
    const bytes = await hit?.arrayBuffer()
    return bytes?.byteLength === Number(hit?.headers.get('content-length')) && bytes
  })
  signal?.throwIfAborted()
  if (found) {
    options.onProgress?.({ loaded: found.byteLength, total: found.byteLength, cached: true })
    return found
  }
  const bytes = await check(await download(where, options))
  await attempt(async () => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': bytes.byteLength }
    await (await caches.open(name)).put(key, new Response(bytes, { headers }))
  })
  return bytes
}
