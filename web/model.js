// SPDX-License-Identifier: Apache-2.0
// The model: loaded with its progress, kept by the package's cache under its hash, and what can go wrong in words.
import { load } from './mien-wasm/index.js'
import { integrity, size, url } from './mien-goemotions-tiny/index.js'

// A cache of the page's own, so that models which are no longer used can be thrown away.
const CACHE = 'mien-demo-models'

// A function with one vector in it: (module (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt))
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11
])

export const NAME = 'goemotions-tiny'
export { size }

/** Why this browser cannot run the model, or undefined. */
export function whyNot() {
  if (typeof WebAssembly !== 'object') return 'This browser has no WebAssembly, or has it switched off.'
  if (!WebAssembly.validate(SIMD))
    return 'This browser has no WebAssembly SIMD, which the model needs. Chrome and Edge have it from version 91, Firefox from 89, Safari from 16.4.'
  return undefined
}

/** Any failure, as a sentence for who looks at the page. */
export function inWords(error) {
  if (error?.code === 'download')
    return navigator.onLine === false
      ? 'There is no connection, and the model is not on this device yet. Connect once, and it works offline from then on.'
      : `The model could not be downloaded. ${error.message}.`
  if (error?.code === 'integrity')
    return 'What was downloaded is not the model: something on the way changed it, or the site is being updated. Try again in a minute.'
  if (error?.code === 'resource')
    return `There is not enough memory for the model: close other tabs, and try again. (${error.message})`
  if (error?.code === 'unsupported') return `This browser cannot run the model: ${error.message}.`
  return error?.message ?? String(error)
}

// The hash is checked, and the model kept, where the browser lets pages do that: on https and on this machine.
const isSecure = () => globalThis.isSecureContext && Boolean(globalThis.crypto?.subtle)

/** A model in `workers` workers. onProgress: as the package's. */
export const open = (options) => load(url, { ...(isSecure() ? { integrity, cache: CACHE } : {}), ...options })

/** 'kept', or why later visits will download the model again. Throws away models of earlier versions. */
export async function keeping() {
  if (!isSecure() || !globalThis.caches) return 'this page is not on https'
  try {
    const cache = await caches.open(CACHE)
    const keys = await cache.keys()
    const digest = integrity.split('-')[1]
    for (const key of keys) if (!key.url.endsWith(digest)) await cache.delete(key)
    return keys.some((key) => key.url.endsWith(digest)) ? 'kept' : 'the browser had no room for it'
  } catch {
    return 'the browser does not let this page keep it'
  }
}

/** metrics.json: what the model's card is made of. */
export async function metrics() {
  const from = new URL('metrics.json', url)
  const fail = (why) => Object.assign(new Error(`${from}: ${why}`), { code: 'download' })
  const response = await fetch(from).catch((error) => {
    throw fail(error.message)
  })
  if (!response.ok) throw fail(`HTTP ${response.status}`)
  return response.json()
}
