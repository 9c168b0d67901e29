// SPDX-License-Identifier: Apache-2.0
// Labels of texts as they come: results in order, and never more texts under way than lanes can work on.
import { MienError, expect, expectWhole, kindOf } from './errors.js'

// model -> what its streams do when it is disposed: one listener for all of them, since Node warns of more than ten.
const streams = new WeakMap()
function streamsOf(model) {
  if (!streams.has(model)) {
    const all = new Set()
    streams.set(model, all)
    model.closed.addEventListener('abort', () => all.forEach((stop) => stop()))
  }
  return streams.get(model)
}

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
  signal?.addEventListener('abort', stop)
  streamsOf(model).add(stop)
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
              else if (typeof got.value === 'string') batch.push(got.value)
              else {
                // As a source's error, but for that the source does not know of it.
                const what = `texts[${row}]: expected a string, found ${kindOf(got.value)}`
                failure = { error: new MienError('argument', what), source: true }
                ended = true
              }
              row++
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
        for (const result of event) {
          stops.forEach((one) => one.throwIfAborted())
          yield result
        }
      }
    }
    if (failure) throw failure.error
  } finally {
    signal?.removeEventListener('abort', stop)
    streamsOf(model).delete(stop)
    if (!ended || failure?.source) {
      const closing = (async () => source.return?.())()
      // A source that is waiting for its next text itself hears of it after that; a signal's reason comes first.
      if (next || stops.some(({ aborted }) => aborted)) closing.catch(() => {})
      else await closing
    }
  }
}
