// SPDX-License-Identifier: Apache-2.0
// A file to try the page with: comments on a town, made up for it. One row is broken, as such files are.
export async function sampleFile() {
  const response = await fetch('sample.csv')
  if (!response.ok) throw new Error(`sample.csv: HTTP ${response.status}`)
  return new File([await response.blob()], 'town-comments.csv', { type: 'text/csv' })
}
