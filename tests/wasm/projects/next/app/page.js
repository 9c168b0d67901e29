// SPDX-License-Identifier: Apache-2.0
// A client component: imported on the server as well, and run in the page.
'use client'
import { useEffect } from 'react'
import { load } from 'mien-wasm'

export default function Page() {
  useEffect(() => {
    import('../main.js')
  }, [])
  return <p>{typeof load}</p>
}
