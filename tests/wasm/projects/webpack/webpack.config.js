// SPDX-License-Identifier: Apache-2.0
// As small as it can be: nothing is there for mien-wasm.
export default { mode: 'production', entry: './main.js', performance: { hints: false } }
