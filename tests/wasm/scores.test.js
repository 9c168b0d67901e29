// SPDX-License-Identifier: Apache-2.0
// The same scores natively, in Node and in Chromium: of int8 packs to the bit, of f32 packs nearly.
//   CHROMIUM: the browser; default: /usr/bin/chromium
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import {
  bits,
  flat,
  goemotions,
  INSTALLED,
  MODEL,
  nativeProgram,
  nativeScores,
  PACKAGE,
  PLACE,
  ROOT
} from './places.js'
import { serve } from './server.js'

const { load } = await import(pathToFileURL(join(PACKAGE, 'node.js')))
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const texts = goemotions(300)
const program = nativeProgram()
const work = mkdtempSync(join(tmpdir(), 'mien-'))
after(() => rmSync(work, { recursive: true }))

async function inNode(model) {
  const loaded = await load(model)
  const scores = flat(await loaded.label(texts, { allScores: true }))
  console.log(`Node ${process.versions.node}: ${loaded.info.dtype}, ${loaded.info.isa}`)
  loaded.dispose()
  return scores
}

async function inChromium(model) {
  const { chromium } = await import(pathToFileURL(join(PLACE, 'tools/node_modules/playwright-core/index.mjs')))
  const folders = { '/npm': INSTALLED, '/model': dirname(model), '/tests/pages': join(ROOT, 'tests/wasm/pages') }
  const server = await serve(folders)
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage()
    await page.goto(`${server.url}/tests/pages/main.html`)
    const [isa, scores] = await page.evaluate(
      async ([model, texts]) => {
        const { load } = await import('/npm/mien-wasm/index.js')
        const loaded = await load(model, { workers: 2 })
        const results = await loaded.label(texts, { allScores: true })
        return [loaded.info.isa, results.flatMap(({ allScores }) => [...allScores])]
      },
      [`/model/${basename(model)}`, texts]
    )
    console.log(`Chromium ${browser.version()}: ${isa}`)
    return Float32Array.from(scores)
  } finally {
    await browser.close()
    server.close()
  }
}

function difference(scores, expected) {
  assert.equal(scores.length, expected.length)
  return scores.reduce((most, score, i) => Math.max(most, Math.abs(score - expected[i])), 0)
}

const places = [
  ['Node', inNode, false],
  ['Chromium', inChromium, existsSync(CHROMIUM) ? false : `${CHROMIUM} is not there`]
]

describe('int8', { skip: program ? false : 'no build/*/mien: the native program is not built' }, () => {
  let expected
  before(() => (expected = nativeScores(program, MODEL, texts)))
  for (const [name, run, skip] of places)
    test(name, { skip }, async () => assert.equal(bits(await run(MODEL)), bits(expected)))
})

test('f32', async (t) => {
  if (!program) return t.skip('no build/*/mien: the native program is not built')
  const name = 'sentence-transformers/all-MiniLM-L6-v2'
  const pulled = spawnSync(program, ['pull', name], { encoding: 'utf8' })
  if (pulled.status !== 0) return t.skip(`${name} cannot be fetched here`)
  const model = join(work, 'f32.safetensors')
  const options = ['--head', 'all-MiniLM-L6-v2', '--dtype', 'f32', '-o', model]
  execFileSync(program, ['pack', '--encoder', pulled.stdout.trim(), ...options], { stdio: 'pipe' })
  const expected = nativeScores(program, model, texts)
  for (const [name, run, skip] of places)
    await t.test(name, { skip }, async () => {
      const most = difference(await run(model), expected)
      console.log(`${name}: differs from the native scores by ${most} at most`)
      assert.ok(most <= 1e-5)
    })
})
