// SPDX-License-Identifier: Apache-2.0
// What every browser runs, of the address in `from`: labels in workers and on the page's own thread, and again from
// the cache. The result goes into the title and to the server.
const from = new URLSearchParams(location.search).get('from') ?? '/npm'

async function main() {
  const { load, loadHead } = await import(`${from}/mien-wasm/index.js`)
  const found = []
  for (const options of [{}, { worker: false }, { workers: 2 }]) {
    const model = await load(undefined, options)
    const { labels } = await model.label('thank you so much!')
    found.push(labels.map(({ label }) => label).join())
    model.dispose()
  }
  const { integrity, url } = await import(`${from}/mien-goemotions-tiny/index.js`)
  let cached
  const onProgress = (progress) => (cached = progress.cached ? 'cached' : 'not cached')
  for (let i = 0; i < 2; i++)
    await load(url, { integrity, onProgress }).then(
      (model) => model.dispose(),
      (error) => (cached = error.code)
    )
  const head = await loadHead(new Uint8Array(8)).catch((error) => error)
  return `${found} ${head.code} ${cached}`
}

document.title = await main().catch((error) => `failed: ${error.code} ${error.message}`)
await fetch('/result', { method: 'POST', body: document.title })
