// SPDX-License-Identifier: Apache-2.0
// Mistakes that the types have to find.
import { load, loadHead } from 'mien-wasm'
import type { Head, LoadOptions, Model, Source, WasmModule } from 'mien-wasm'
import * as edge from 'mien-wasm/edge'

export async function mistakes(model: Model, head: Head, module: WasmModule): Promise<void> {
  // @ts-expect-error a number is no source
  await load(5)
  // @ts-expect-error null is none either
  const source: Source = null
  // @ts-expect-error no such option
  await load('a', { modelUrl: 'b' })
  // @ts-expect-error not a number
  await load('a', { workers: '2' })
  // @ts-expect-error thresholds are numbers
  const options: LoadOptions = { thresholds: { joy: '0.5' } }
  // @ts-expect-error a head's source is not optional
  await loadHead()
  // @ts-expect-error heads have no workers
  await loadHead('a', undefined, { workers: 2 })
  // @ts-expect-error not a text
  await model.label(5)
  // @ts-expect-error nor are these
  await model.label([1, 2])
  // @ts-expect-error no such option
  await model.label('a', { top: 3 })
  // @ts-expect-error neither truncate nor split
  await model.label('a', { long: 'cut' })
  // @ts-expect-error embeddings are not split
  await model.labelEmbeddings(new Float32Array(384), { long: 'split' })
  // @ts-expect-error one text, one result
  const many: unknown[] = await model.label('a')
  // @ts-expect-error no allScores without asking
  const scores: Float32Array = (await model.label('a')).allScores
  // @ts-expect-error a string is iterable, but of its characters
  const stream: string = model.labelStream('a')
  // @ts-expect-error read only
  model.thresholds['joy'] = 1
  // @ts-expect-error read only
  model.labelNames.push('other')
  // @ts-expect-error read only
  model.dim = 5
  // @ts-expect-error rows are of float32
  await head.scores([1, 2])
  // @ts-expect-error a head takes embeddings
  await head.label('a text')
  // @ts-expect-error edges need a module
  await edge.load('a', {})
  // @ts-expect-error and have no workers
  await edge.load('a', { module, workers: 2 })
  console.log(source, options, many, scores, stream)
}
