// SPDX-License-Identifier: Apache-2.0
/**
 * For runtimes whose WebAssembly comes compiled (edge workers): `import module from 'mien-wasm/mien.wasm'`, and then
 * `load(source, { module })`. Models run on the calling thread.
 */
import type { Head, HeadOptions, LoadOptions, Model, Source, Thresholds, WasmModule } from './index.js'

export * from './index.js'
export function load(
  source: Source,
  options: Omit<LoadOptions, 'worker' | 'workers'> & { module: WasmModule }
): Promise<Model>
export function loadHead(
  source: Source,
  thresholds: Thresholds | undefined,
  options: HeadOptions & { module: WasmModule }
): Promise<Head>
