// SPDX-License-Identifier: Apache-2.0
// A page that is rendered on the server, with a model that runs there.
import { load } from 'mien-wasm'

export const dynamic = 'force-dynamic'

export default async function Page() {
  const model = await load()
  const { labels } = await model.label('thank you so much!')
  model.dispose()
  return <p>{labels.map(({ label }) => label).join()}</p>
}
