// SPDX-License-Identifier: Apache-2.0
// With the DOM's types a module is a WebAssembly.Module.
import type { WasmModule } from 'mien-wasm'
import { load } from 'mien-wasm/edge'

const module: WebAssembly.Module = new WebAssembly.Module(new Uint8Array(8))
await load('a', { module })
// @ts-expect-error so is what else is one, and only that
const none: WasmModule = undefined
const same: WebAssembly.Module = module satisfies WasmModule
console.log(none, same)
