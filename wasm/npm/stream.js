// SPDX-License-Identifier: Apache-2.0
// Labels of texts as they come: results in order, and never more texts under way than lanes can work on.
import { expect, expectWhole } from './errors.js'

export async function* labelStream(model, texts, { batchSize = 64, ...options } = {}) {
  expectWhole(batchSize, 'batchSize', 1)
  const open = texts?.[Symbol.asyncIterator] ?? texts?.[Symbol.iterator]
  expect(open && typeof texts !== 'string', 'texts', 'an iterable of strings', texts)
  const { signal } = options
  const source = open.call(texts)
  const pull = async () => source.next()
  const running = []
  const batch = []
  const start = () => {
    const work = model.label(batch.splice(0), options)
    work.catch(() => {}) // said where it is waited for
    running.push(work)
  }
  let row = 0
  let ended = false
  let failure
  let next
  // What ends the stream while a source keeps it waiting.
  const stops = [signal, model.closed].filter(Boolean)
  let stopped
  const stop = () => stopped?.(stops.find(({ aborted }) => aborted).reason)
  stops.forEach((one) => one.addEventListener('abort', stop))
  try {
    while (!ended || running.length) {
      stops.forEach((one) => one.throwIfAborted())
      const room = !ended && running.length <= model.lanes
      if (room) next ??= pull()
      // A batch that is not full goes when nothing runs and the source is not ready with more.
      const events = [new Promise((_, reject) => (stopped = reject))]
      if (room)
        events.push(
          next.then(
            (got) => () => {
              next = undefined
              if (got.done) ended = true
              else {
                expect(typeof got.value === 'string', `texts[${row}]`, 'a string', got.value)
                row++
                batch.push(got.value)
              }
              if (batch.length && (ended || batch.length === batchSize)) start()
            },
            (error) => () => {
              // Said behind the results of what came before it.
              ended = true
              failure = { error }
              if (batch.length) start()
            }
          )
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
    if (failure) throw failure.error
  } finally {
    stops.forEach((one) => one.removeEventListener('abort', stop))
    if (!ended) {
      const closing = (async () => source.return?.())()
      // A source that is waiting for its next text itself hears of it after that: not waited for.
      if (next) closing.catch(() => {})
      else await closing
    }
  }
}
