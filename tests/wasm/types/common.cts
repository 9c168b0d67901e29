// SPDX-License-Identifier: Apache-2.0
// CommonJS has import() for it.
export async function main(): Promise<void> {
  const { load } = await import('mien-wasm')
  const model = await load()
  console.log((await model.label('a')).labels[0]?.label)
}
