// SPDX-License-Identifier: Apache-2.0
// Labels of texts as they come: results in order, and never more texts under way than lanes can work on.
import { expect, expectWhole } from './errors.js'

export async function* labelStream(model, texts, { batchSize = 64, ...options } = {}) {
  expectWhole(batchSize, 'batchSize', 1)
  const open = texts?.[Symbol.asyncIterator] ?? texts?.[Symbol.iterator]
  expect(open && typeof texts !== 'string', 'texts', 'an iterable of strings', texts)
  const source = open.call(texts)
  const running = []
  const batch = []
  const start = () => {
    const work = model.label(batch.splice(0), options)
    work.catch(() => {}) // said where it is waited for
    running.push(work)
  }
  let row = 0
  let ended = false
  let next
  try {
    while (!ended || running.length) {
      const room = !ended && running.length <= model.lanes
      if (room) next ??= Promise.resolve(source.next())
      // A batch that is not full goes when nothing runs and the source is not ready with more.
      const events = []
      if (room)
        events.push(
          next.then((got) => () => {
            next = undefined
            if (got.done) ended = true
            else {
              expect(typeof got.value === 'string', `texts[${row}]`, 'a string', got.value)
              row++
              batch.push(got.value)
            }
            if (batch.length && (ended || batch.length === batchSize)) start()
          })
        )
      if (running.length) events.push(running[0])
      else if (batch.length) events.push(new Promise((resolve) => setTimeout(resolve, 0, start)))
      const event = await Promise.race(events)
      if (typeof event === 'function') event()
      else {
        running.shift()
        if (batch.length && !running.length) start()
        yield* event
      }
    }
  } finally {
    if (!ended) await source.return?.()
  }
}
