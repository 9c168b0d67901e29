// SPDX-License-Identifier: Apache-2.0
// What the tests of the page share: a server, a browser, pages that fail on what they log, the native command.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serve } from '../../web/serve.mjs'

export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
export const PAGE = join(ROOT, 'build/web')
// Hosts put pages under paths: every test does.
export const PREFIX = '/some/where/'
export const require = createRequire(join(ROOT, 'build/test-web/'))
const { chromium } = require('playwright-core')

export const work = mkdtempSync(join(tmpdir(), 'mien-web-'))
export const skipped = []
export const skip = (what, why) => skipped.push(`${what}: ${why}`)

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // A name of this machine that is no localhost: pages from there are not secure ones.
  args: ['--host-resolver-rules=MAP plain.test 127.0.0.1', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])]
})
const server = await serve(PAGE, { prefix: PREFIX })
export const { url } = server
export const closeAll = async () => {
  await browser.close()
  server.close()
}

const contexts = []

/**
 * A page of a fresh browser: { page, context, problems }. problems: what was logged as an error, by the security policy
 * too, unless `expected` matches it.
 */
export async function open({ url = server.url, expected, wait = true, before, ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    ...options
  })
  const page = await context.newPage()
  const problems = []
  const note = (text) => expected?.test(text) || problems.push(text)
  // A build without LLVM 19 has no module of relaxed SIMD, which the package asks for.
  const isRelaxed = (message) => message.location().url.endsWith('/mien-relaxed.wasm')
  page.on('console', (message) => message.type() === 'error' && !isRelaxed(message) && note(message.text()))
  page.on('pageerror', (error) => note(String(error)))
  await context.addInitScript(() =>
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      console.error(`security policy: ${violatedDirective} ${blockedURI}`)
    )
  )
  const found = { page, context, problems }
  contexts.push(found)
  await before?.(found)
  await page.goto(url)
  if (wait) await ready(page)
  return found
}

/** Ends what a test opened; says what its pages logged. */
export async function closePages() {
  const problems = contexts.flatMap((each) => each.problems)
  for (const { context } of contexts.splice(0)) await context.close()
  assert.deepEqual(problems, [])
}

export async function ready(page) {
  await page.waitForSelector('[data-kind=ready]', { timeout: 30000 })
  await page.waitForSelector('#bars li')
}

export const text = (page, selector) => page.textContent(selector)

/** Writes a text in the place of what is there, and waits for its labels. */
export async function write(page, words) {
  await page.fill('#input', words)
  await settled(page)
}

/** Waits until what the page shows is of the text that is there. */
export const settled = (page) =>
  page.waitForFunction(
    () => performance.getEntriesByName('typed').pop()?.detail === document.getElementById('input').value
  )

export const bars = (page, given = true) =>
  page.$$eval(given ? '#bars .given .name' : '#bars .name', (names) => names.map((name) => name.textContent))

export function file(name, content) {
  const path = join(work, name)
  writeFileSync(path, content)
  return path
}

/** Chooses a file, and waits for the end of its run. */
export async function label(page, path) {
  await page.setInputFiles('#file-input', path)
  await labelled(page)
}

export const labelled = (page) =>
  page.waitForFunction(
    () =>
      !document.getElementById('run').hidden &&
      document.getElementById('run-cancel').hidden &&
      !document.getElementById('results').hidden,
    null,
    { timeout: 60000 }
  )

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds of a page that keeps people from using it; lesser findings are told. */
export async function seriousFindings(page) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  const lesser = violations.filter((one) => !grave.includes(one)).map(({ id, impact }) => `${id} (${impact})`)
  if (lesser.length) report(`lesser findings: ${JSON.stringify(lesser)}`)
  return grave.map(({ id, impact, nodes }) => ({
    id,
    impact,
    where: nodes.slice(0, 4).map(({ target, failureSummary }) => `${target} ${failureSummary.split('\n')[1]}`)
  }))
}

/** What a button hands to the user. */
export async function downloaded(page, button) {
  const [found] = await Promise.all([page.waitForEvent('download'), page.click(button)])
  return { name: found.suggestedFilename(), text: readFileSync(await found.path(), 'utf8') }
}

/** What `mien label` writes of the same file with the same model; undefined where there is no native build. */
export function native(path, format, ...options) {
  if (!process.env.MIEN) return undefined
  const out = join(work, `native.${format}`)
  const model = join(ROOT, 'models/goemotions-tiny/model.safetensors')
  execFileSync(resolve(ROOT, process.env.MIEN), ['label', '--quiet', '--model', model, ...options, path, '-o', out])
  return readFileSync(out, 'utf8')
}
if (!process.env.MIEN)
  skip('scores beside those of the native command', 'there is no native build: build/release/mien, or MIEN')

export const lines = (text) => text.trimEnd().split('\n')
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]
export const report = (words) => console.log(`    ${words}`)
export { assert, browser }
