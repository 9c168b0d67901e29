// SPDX-License-Identifier: Apache-2.0
// The bytes of a model, wherever they are: memory, a Blob, a Response, a URL, a file where the platform has files.
// Checked against a hash where one is given, and then kept in the Cache API under it.
import { expect, fail } from './errors.js'

const CACHE = 'mien-wasm'

/** What errors call a source. */
export function nameOf(source) {
  if (source instanceof Blob) return source.name ?? 'the Blob'
  if (source instanceof Response) return source.url || 'the Response'
  return typeof source === 'string' || source instanceof URL ? String(source) : 'the bytes'
}

// The hash in hex and in base64, without what only fills it up.
async function hashesOf(bytes, algorithm, where) {
  const { subtle } = globalThis.crypto ?? {}
  if (!subtle) fail('unsupported', `${where}: cannot be checked: hashes are only for pages from https or localhost`)
  const digest = new Uint8Array(await subtle.digest(algorithm, bytes))
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return [hex, btoa(String.fromCharCode(...digest)).replace(/=*$/, '')]
}

const expectOk = (response, where) =>
  response.ok ? response : fail('download', `${where}: HTTP ${response.status} ${response.statusText}`)

/** A Response that is a success. */
export async function request(url, { signal } = {}) {
  const response = await fetch(url, { signal }).catch((cause) => {
    signal?.throwIfAborted()
    fail('download', `${url}: cannot be fetched: ${cause.cause?.message ?? cause.message}`, cause)
  })
  return expectOk(response, url)
}

/** The bytes of a Response: (response, what errors call it, { onProgress, signal, size: where nothing else says it }) */
export async function read(response, where, { onProgress, signal, size }) {
  if (response.type === 'opaque') fail('download', `${where}: its server does not let this page read it (CORS)`)
  expectOk(response, where)
  if (response.bodyUsed || response.body?.locked) fail('argument', `${where}: has been read already`)
  // With a Content-Encoding the length is that of the encoded bytes.
  const length = response.headers.get('content-encoding') ? null : response.headers.get('content-length')
  const total = length === null ? size : Number(length)
  // One allocation where the length is known, and can be believed.
  let bytes = new Uint8Array(total > 0 ? Math.min(total, 1 << 30) : 1 << 20)
  let loaded = 0
  const reader = response.body?.getReader()
  // A Response that was made here does not hear of the signal.
  const stop = () => reader?.cancel(signal.reason).catch(() => {})
  signal?.addEventListener('abort', stop, { once: true })
  try {
    onProgress?.({ loaded, total })
    while (reader) {
      const { done, value } = await reader.read().catch((cause) => {
        signal?.throwIfAborted()
        fail('download', `${where}: broke off after ${loaded} of ${total ?? '?'} bytes: ${cause.message}`, cause)
      })
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
  } finally {
    signal?.removeEventListener('abort', stop)
    reader?.cancel().catch(() => {}) // where onProgress threw
  }
  // More there may be: that it is compressed does not show where it is another origin's.
  if (length !== null && !(loaded >= total))
    fail('download', `${where}: truncated: expected ${total} bytes, found ${loaded}`)
  return loaded === bytes.length ? bytes.buffer : bytes.buffer.slice(0, loaded)
}

async function download(url, options) {
  return read(await request(url, options), url, options)
}

/** source -> ArrayBuffer, the caller's own: never one that was given. */
export async function obtain(source, options, platform) {
  const { signal, integrity, cache = true, onProgress } = options
  const where = nameOf(source)
  const done = (bytes, cached) => {
    onProgress?.({ loaded: bytes.byteLength, total: bytes.byteLength, ...cached })
    return bytes
  }
  const found = /^(?:sha(256|384|512)-)?(.+)$/.exec(integrity ?? 'none')
  expect(found, 'integrity', "'sha256-' and a hash in hex or base64", integrity)
  const [, bits = '256', hash] = found
  const check = async (bytes) => {
    if (integrity === undefined) return bytes
    const [hex, base64] = await hashesOf(bytes, `SHA-${bits}`, where)
    if (hash.toLowerCase() !== hex && hash.replace(/=*$/, '') !== base64)
      fail('integrity', `${where}: expected sha${bits}-${hash}, found sha${bits}-${hex} in ${bytes.byteLength} bytes`)
    return bytes
  }

  // A copy: a Response takes no memory that is shared.
  if (ArrayBuffer.isView(source))
    source = new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice().buffer
  if (source instanceof ArrayBuffer || source instanceof Blob)
    return check(await read(new Response(source), where, { ...options, size: source.size ?? source.byteLength }))
  if (source instanceof Response) return check(await read(source, where, options))
  const isUrl = typeof source === 'string' || source instanceof URL
  expect(isUrl, 'model', 'a URL, Response, ArrayBuffer, Blob or path', source)

  const file = await platform.readFile?.(source, signal)
  if (file) return check(done(file))
  if (integrity === undefined || !cache || !globalThis.caches) return check(await download(where, options))
  // Storage may be full, private or forbidden: a cache that fails is no cache.
  const name = typeof cache === 'string' ? cache : CACHE
  const key = `https://mien-wasm.invalid/${bits}/${encodeURIComponent(hash)}`
  const store = await caches.open(name).catch(() => undefined)
  const hit = await store?.match(key).catch(() => undefined)
  // It was checked before it was put there.
  const kept = await hit?.arrayBuffer().catch(() => undefined)
  signal?.throwIfAborted()
  if (kept && kept.byteLength === Number(hit.headers.get('content-length'))) return done(kept, { cached: true })
  const bytes = await check(await download(where, options))
  const headers = { 'content-length': bytes.byteLength }
  await store?.put(key, new Response(bytes, { headers })).catch(() => {})
  return bytes
}
