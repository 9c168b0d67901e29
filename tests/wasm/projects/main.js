// SPDX-License-Identifier: Apache-2.0
// What each project runs: a text's label in the title, in a worker and on the page's own thread.
import { load, loadHead } from 'mien-wasm'

try {
  const found = []
  for (const options of [{}, { worker: false }, { workers: 2 }]) {
    const model = await load(undefined, options)
    const { labels } = await model.label('thank you so much!')
    found.push(labels.map(({ label }) => label).join())
    model.dispose()
  }
  const head = await loadHead(new Uint8Array(8)).catch((error) => error)
  document.title = `${found} ${head.code}`
} catch (error) {
  document.title = `failed: ${error.stack}`
}
