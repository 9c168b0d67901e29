// SPDX-License-Identifier: Apache-2.0
// Packages that read their own files are not bundled on the server.
export default { serverExternalPackages: ['mien-wasm', 'mien-goemotions-tiny'] }
