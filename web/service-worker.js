// SPDX-License-Identifier: Apache-2.0
// Keeps the page, the package and its module for offline visits; the model is the package's to keep. assemble.cmake puts
// in which files there are and a hash of them all: a changed file is a changed service worker, which browsers look for at
// every visit, past their caches. A version is kept and served whole, so that its files fit each other.

const VERSION = '@VERSION@'
const FILES = '@FILES@'.split(' ')

const PREFIX = `mien-demo ${registration.scope} `
const CACHE = PREFIX + VERSION

addEventListener('install', (event) => {
  const requests = ['./', ...FILES].map((file) => new Request(file, { cache: 'no-cache' }))
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)))
})

addEventListener('activate', (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name)
    await clients.claim()
  }
  event.waitUntil(clean())
})

addEventListener('message', ({ data }) => {
  if (data === 'take over') skipWaiting()
})

addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || !url.href.startsWith(registration.scope)) return
  const file = url.pathname.slice(new URL(registration.scope).pathname.length)
  if (file && !FILES.includes(file)) return
  const answer = async () => (await (await caches.open(CACHE)).match(file || './')) ?? fetch(request)
  event.respondWith(answer())
})
