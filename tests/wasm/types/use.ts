// SPDX-License-Identifier: Apache-2.0
// Everything that index.d.ts offers, used as it is meant to be: compiles without a complaint.
import { load, loadHead, MienError } from 'mien-wasm'
import type {
  Embedding,
  FullResult,
  Head,
  HeadOptions,
  Label,
  LabelOptions,
  LoadOptions,
  Model,
  ModelInfo,
  Progress,
  Result,
  Source,
  Span,
  TextOptions,
  Thresholds,
  WasmModule
} from 'mien-wasm'
import * as edge from 'mien-wasm/edge'
import compiled from 'mien-wasm/mien.wasm'
import compiledHead from 'mien-wasm/mien-head.wasm'
import { integrity, size, url } from 'mien-goemotions-tiny'

export async function sources(response: Response, blob: Blob, module: WasmModule): Promise<Model[]> {
  const all: Source[] = ['a', new URL('https://a'), response, new ArrayBuffer(1), new Uint8Array(1), blob]
  const options: LoadOptions = {
    onProgress: ({ loaded, total, cached }: Progress) => console.log(loaded / (total ?? 1), cached === true),
    signal: AbortSignal.timeout(1),
    integrity,
    cache: 'mine',
    thresholds: { joy: 0.5 },
    maxTokens: 128,
    worker: true,
    workers: 2,
    module
  }
  const given: Thresholds[] = ['{}', { joy: 1 }, new ArrayBuffer(1), new Uint8Array(1)]
  const modules: LoadOptions['module'][] = [module, new ArrayBuffer(1), new Uint8Array(1), 'a', new URL('https://a')]
  await load()
  await load(undefined, {})
  await load(url, { integrity, cache: false })
  await load(all[0], { thresholds: given[0], module: modules[0] })
  return Promise.all(all.map((source) => load(source, options)))
}

export async function labels(model: Model): Promise<void> {
  const options: LabelOptions = { thresholds: 0.5, topK: 3, minLabels: 1, signal: new AbortController().signal }
  const one: Result = await model.label('a', options)
  const many: Result[] = await model.label(['a', 'b'] as const, { thresholds: { joy: 0.1 } })
  const full: FullResult = await model.label('a', { allScores: true })
  const fulls: FullResult[] = await model.label(['a'], { allScores: true, topK: 1 })
  const long: Result = await model.label('a', { long: 'split', pool: 'mean' } satisfies TextOptions)
  const span: Span | undefined = long.spans?.[0]
  const said: string | undefined = span && 'a'.slice(span.start, span.end) + span.labels[0]?.label
  const first: Label | undefined = one.labels[0]
  const score: number = first?.score ?? full.allScores[0]!
  const scores: Float32Array | undefined = one.allScores
  const truncated: true | undefined = many[0]?.truncated
  const why: string | undefined = fulls[0]?.error
  console.log(first?.label, score, scores, truncated, why, said, span?.allScores)
}

export async function streams(model: Model): Promise<void> {
  const lines = async function* () {
    yield 'a'
  }
  for await (const { labels } of model.labelStream(lines())) console.log(labels.length)
  for await (const { allScores } of model.labelStream(['a'], { allScores: true, batchSize: 8 }))
    console.log(allScores.length)
  const stream: AsyncGenerator<Result, void, undefined> = model.labelStream(new Set(['a']), { topK: 1 })
  await stream.return()
}

export async function embeddings(model: Model, signal: AbortSignal): Promise<void> {
  const one: Float32Array = await model.embed('a', { signal })
  const many: Float32Array[] = await model.embed(['a', 'b'])
  const rows: Embedding[] = [one, [1, 2], new Float64Array(2)]
  const result: Result = await model.labelEmbeddings(one, { topK: 1 })
  const results: Result[] = await model.labelEmbeddings(rows)
  console.log(many, result, results)
}

export async function eitherForm(model: Model, text: string | string[]): Promise<number> {
  const result = await model.label(text)
  const { allScores } = await model.labelEmbeddings(new Float32Array(model.dim), { allScores: true })
  return allScores.length + (Array.isArray(result) ? result.length : 1)
}

export function whatItIs(model: Model): void {
  const info: ModelInfo = model.info
  const dim: number = model.dim + info.dim
  const names: readonly string[] = model.labelNames
  const threshold: number | undefined = model.thresholds['joy']
  const from: 'default' | 'options' | 'found' | undefined = info.thresholds_from
  const other: unknown = info['created_by']
  console.log(dim, names, threshold, from, other, info.isa, info.dtype, info.labels, info.thresholds, info.link)
  model.dispose()
}

export async function heads(): Promise<void> {
  const options: HeadOptions = { integrity, signal: AbortSignal.timeout(1), onProgress: () => {}, cache: true }
  const head: Head = await loadHead('model.onnx', { joy: 0.5 }, options)
  const one: Result = await head.label(new Float32Array(384))
  const many: Result[] = await head.label([new Float32Array(384)], { minLabels: 1 })
  const scores: Float32Array = await head.scores(new Float32Array(768), { signal: AbortSignal.timeout(1) })
  console.log(one, many, scores, head.dim)
  head.dispose()
  await loadHead(url)
}

export async function onEdges(source: Source): Promise<void> {
  const model: Model = await edge.load(source, { module: compiled, maxTokens: 64 })
  const head: Head = await edge.loadHead(source, undefined, { module: compiledHead })
  console.log(model.dim, head.dim, size.toFixed())
}

export function errors(error: unknown): string {
  if (!(error instanceof MienError)) return String(error)
  switch (error.code) {
    case 'argument':
    case 'input':
    case 'download':
    case 'integrity':
    case 'resource':
    case 'unsupported':
    case 'disposed':
    case 'internal':
      return `${error.name} ${error.message}`
    default: {
      const never: never = error.code // every code is above
      return never
    }
  }
}
