// SPDX-License-Identifier: Apache-2.0
// Runs the tests of the page: node main.mjs [PART OF A TEST'S NAME]. A module exports its tests under the names of what holds.
import { readdirSync, rmSync } from 'node:fs'
import { closeAll, closePages, skipped, work } from './harness.mjs'

const wanted = process.argv[2] ?? ''
const here = new URL('./', import.meta.url)
let failed = 0
let passed = 0
const began = Date.now()
for (const name of readdirSync(here).filter((name) => name.startsWith('test_'))) {
  const { default: tests } = await import(new URL(name, here))
  for (const [title, test] of Object.entries(tests)) {
    if (!title.includes(wanted)) continue
    const from = Date.now()
    try {
      await test()
      await closePages()
      passed++
      console.log(`ok  ${title} (${((Date.now() - from) / 1000).toFixed(1)} s)`)
    } catch (error) {
      failed++
      console.log(`BAD ${title}\n${error.stack}`)
      await closePages().catch((problems) => console.log(problems.message))
    }
  }
}
await closeAll()
rmSync(work, { recursive: true, force: true })
for (const line of skipped) console.log(`skipped: ${line}`)
console.log(`${passed} passed, ${failed} failed in ${Math.round((Date.now() - began) / 1000)} s`)
// Connections of a test that failed may still be open.
process.exit(failed || !passed ? 1 : 0)
