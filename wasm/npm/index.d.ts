// SPDX-License-Identifier: Apache-2.0
/**
 * Text to emotion labels in WebAssembly. A model is loaded once and used for any number of texts; nothing is sent
 * anywhere. A text's scores do not depend on the texts beside it, and those of int8 models are equal on every machine.
 */

/** Where a model is: a URL (in browsers relative to the page), a path in Node, Deno and Bun, or its bytes. */
export type Source = string | URL | Response | ArrayBuffer | ArrayBufferView | Blob

export interface Progress {
  /** Bytes read so far. */
  loaded: number
  /** Bytes in all, where the server or the package says so. */
  total?: number
  /** The bytes came from the cache, not from the network. */
  cached?: true
}

/** `load` without a model's source takes the one of the package mien-goemotions-tiny. */
export interface LoadOptions {
  /** Called while a model is read: before it, for what comes, and at the end. */
  onProgress?: (progress: Progress) => void
  /** Cancels loading: the promise is rejected with the signal's reason. */
  signal?: AbortSignal
  /**
   * The model's hash: `sha256-`, `sha384-` or `sha512-` and base64 or hex, or 64 digits of hex. Anything else is
   * refused, and what was downloaded is kept in the Cache API under it.
   */
  integrity?: string
  /** With `integrity`: whether to keep downloads (default: true), or the name of the Cache. */
  cache?: boolean | string
  /** Thresholds in the place of the model's: exactly its labels, each with a number in [0, 1], or their JSON. */
  thresholds?: Thresholds
  /** Cuts texts to so many tokens, the two special ones included, from 3 to the model's own limit: the default. */
  maxTokens?: number
  /** Whether to run in a worker; default: in browsers. */
  worker?: boolean
  /** How many workers, each with a copy of the model, share the texts of a call. Default: 1. */
  workers?: number
  /** The core's mien.wasm: compiled, its bytes, or where it is; default: beside the package's scripts. */
  module?: WasmModule | ArrayBuffer | ArrayBufferView | string | URL
}

/** A WebAssembly.Module; where the compiler has no types of WebAssembly, as with Node's alone, any object. */
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } }
  ? Module
  : object

export interface HeadOptions extends Pick<LoadOptions, 'onProgress' | 'signal' | 'integrity' | 'cache' | 'module'> {}

/** An object of labels and numbers in [0, 1], or its JSON, as thresholds.json has it. */
export type Thresholds = Readonly<Record<string, number>> | string | ArrayBuffer | ArrayBufferView

export interface LabelOptions {
  /** One threshold in [0, 1] for all labels, or some labels' in the place of the model's. */
  thresholds?: number | Readonly<Record<string, number>>
  /** The K labels with the highest scores, whatever their thresholds. */
  topK?: number
  /** If fewer labels are above their thresholds: so many, those nearest to theirs. Default: 0. */
  minLabels?: number
  /** Adds `allScores` to results, and to their spans. */
  allScores?: boolean
  /** Cancels between batches of texts: the promise is rejected with the signal's reason. */
  signal?: AbortSignal
}

export interface TextOptions extends LabelOptions {
  /**
   * What to do with a text that is longer than the model takes. 'split': each of its sentences is labelled, and of a
   * sentence that is too long each run of words that fits; the text gets what `pool` makes of their scores, and its
   * result has `spans`. Default: 'truncate', its first tokens alone.
   */
  long?: 'truncate' | 'split'
  /** With `long: 'split'`: label by label the highest score of all spans, or their mean. Default: 'max'. */
  pool?: 'max' | 'mean'
}

export interface Label {
  label: string
  /** In [0, 1], a float32. */
  score: number
}

export interface Result {
  /** Those whose score is greater than their threshold, highest first; may be empty. */
  labels: Label[]
  /** A score a label, in the order of `labelNames`. */
  allScores?: Float32Array
  /** The text was longer than the model takes: this is of its first tokens. */
  truncated?: true
  /** With `long: 'split'`, of a text that was longer than the model takes: what it was labelled by, in order. */
  spans?: Span[]
  /** Why there are no labels: NaN or infinity in the embedding. */
  error?: string
}
export type FullResult = Result & { allScores: Float32Array }

/** A part of a text that was split: `text.slice(start, end)`, and what it says. */
export interface Span {
  /** In UTF-16's units, as strings count. */
  start: number
  end: number
  labels: Label[]
  allScores?: Float32Array
}

/** Rows of a number each dimension: Float32Array is what is fast. */
export type Embedding = Float32Array | Float64Array | readonly number[]

/** What the model is: as `mien inspect --json` has it, of which these are the fields that are always there. */
export interface ModelInfo {
  /** The instruction set that runs it: 'simd128', 'relaxed' or 'portable'. */
  isa: string
  dtype: string
  dim: number
  /** These are of its head, which an encoder alone has not. */
  labels?: string[]
  thresholds?: number[]
  thresholds_from?: 'default' | 'options' | 'found'
  link?: string
  [field: string]: unknown
}

interface Loaded {
  readonly info: ModelInfo
  /** Length of an embedding. */
  readonly dim: number
  /** The labels, in the order of all scores. */
  readonly labelNames: readonly string[]
  readonly thresholds: Readonly<Record<string, number>>
  /** Frees the model and ends its workers; calls that are not done are rejected. May be called twice. */
  dispose(): void
}

export interface Model extends Loaded {
  label(text: string, options: TextOptions & { allScores: true }): Promise<FullResult>
  label(text: string, options?: TextOptions): Promise<Result>
  label(texts: readonly string[], options: TextOptions & { allScores: true }): Promise<FullResult[]>
  label(texts: readonly string[], options?: TextOptions): Promise<Result[]>
  label(texts: string | readonly string[], options?: TextOptions): Promise<Result | Result[]>

  /**
   * Results in the order of the texts, of any number of them: the source is read as fast as results are taken. Batches
   * are of what the source has ready, at most `batchSize` texts (default: 64).
   */
  labelStream(
    texts: AsyncIterable<string> | Iterable<string>,
    options: TextOptions & { batchSize?: number; allScores: true }
  ): AsyncGenerator<FullResult, void, undefined>
  labelStream(
    texts: AsyncIterable<string> | Iterable<string>,
    options?: TextOptions & { batchSize?: number }
  ): AsyncGenerator<Result, void, undefined>

  /** Sentence embeddings, each of `dim` numbers. */
  embed(text: string, options?: { signal?: AbortSignal }): Promise<Float32Array>
  embed(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>
  embed(texts: string | readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array | Float32Array[]>

  /** Labels of embeddings that `embed` gave. */
  labelEmbeddings(embedding: Embedding, options: LabelOptions & { allScores: true }): Promise<FullResult>
  labelEmbeddings(embedding: Embedding, options?: LabelOptions): Promise<Result>
  labelEmbeddings(embeddings: readonly Embedding[], options: LabelOptions & { allScores: true }): Promise<FullResult[]>
  labelEmbeddings(embeddings: readonly Embedding[], options?: LabelOptions): Promise<Result[]>
}

/** A linear classifier of embeddings. */
export interface Head extends Loaded {
  label(embedding: Embedding, options: LabelOptions & { allScores: true }): Promise<FullResult>
  label(embedding: Embedding, options?: LabelOptions): Promise<Result>
  label(embeddings: readonly Embedding[], options: LabelOptions & { allScores: true }): Promise<FullResult[]>
  label(embeddings: readonly Embedding[], options?: LabelOptions): Promise<Result[]>
  /** Rows one after the other, [n × dim], to scores [n × labels]; NaN for a row with NaN or infinity. */
  scores(embeddings: Float32Array, options?: { signal?: AbortSignal }): Promise<Float32Array>
}

/** A pack: encoder, vocabulary, head and thresholds in one file, as `mien pack` makes them. */
export function load(source?: Source, options?: LoadOptions): Promise<Model>

/** A linear classifier in ONNX, from embeddings to labels. Runs on the calling thread: it takes microseconds. */
export function loadHead(source: Source, thresholds?: Thresholds, options?: HeadOptions): Promise<Head>

/**
 * Every failure but a signal's, and but those that the types forbid: its message says what, where, what was expected and found.
 * - `argument`: the call is wrong
 * - `input`: the bytes are not what they should be
 * - `download`: they could not be fetched, or not all of them
 * - `integrity`: their hash is another
 * - `resource`: no memory or no worker
 * - `unsupported`: the platform lacks what is needed
 * - `disposed`: the model was used after dispose()
 * - `internal`: a bug: please report it
 */
export class MienError extends Error {
  constructor(code: MienError['code'], message: string, options?: ErrorOptions)
  name: 'MienError'
  code: 'argument' | 'input' | 'download' | 'integrity' | 'resource' | 'unsupported' | 'disposed' | 'internal'
}
