// SPDX-License-Identifier: Apache-2.0
/** What edge runtimes make of `import module from 'mien-wasm/mien.wasm'`. */
import type { WasmModule } from './index.js'

declare const module: WasmModule
export default module
