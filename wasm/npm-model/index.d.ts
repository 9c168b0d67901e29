// SPDX-License-Identifier: Apache-2.0
/** Where the model's file is, beside this package's scripts. */
export const url: URL
/** `sha256-` and the file's hash in hex, as `load` of mien-wasm takes it. */
export const integrity: string
/** Bytes of the file. */
export const size: number
