// SPDX-License-Identifier: Apache-2.0
// The tarballs in fresh projects, each run in Chromium: Vite, webpack, Next.js, plain Node, and no bundler at all.
//   CHROMIUM: the browser; default: /usr/bin/chromium
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

import { INSTALLED, PLACE, ROOT } from './places.js'
import { serve } from './server.js'

const SOURCES = join(ROOT, 'tests/wasm/projects')
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const EXPECTED = 'gratitude,gratitude,gratitude input'
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' }
const execute = (file, args, cwd) => promisify(execFile)(file, args, { cwd, env, maxBuffer: 1 << 26 })

const skip = existsSync(CHROMIUM) ? false : `${CHROMIUM} is not there`
let browser
// A page from http: that is not this machine's, and so has no hashes, and no cache.
const INSECURE = '--host-resolver-rules=MAP insecure.test 127.0.0.1'
before(async () => {
  if (skip) return
  const { chromium } = await import(pathToFileURL(join(PLACE, 'tools/node_modules/playwright-core/index.mjs')))
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', INSECURE] })
  console.log(`Chromium ${browser.version()}, Node ${process.versions.node}`)
})
after(() => browser?.close())

// The title that a page gets when it is done.
async function titleOf(url) {
  const page = await browser.newPage()
  try {
    const notes = []
    page.on('console', (message) => notes.push(message.text()))
    page.on('pageerror', (error) => notes.push(error.message))
    await page.goto(url)
    await page
      .waitForFunction(() => document.title !== '', undefined, { timeout: 60000 })
      .catch(() => assert.fail(`${url} did not end: ${notes.join('\n')}`))
    return await page.title()
  } finally {
    await page.close()
  }
}

// A fresh project with the tarballs; what else it needs is installed once.
async function project(name) {
  const folder = join(PLACE, 'projects', name)
  const described = readFileSync(join(SOURCES, name, 'package.json'), 'utf8')
  const stamp = join(folder, 'node_modules/.done')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== described) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), described)
    await execute('npm', ['install', '--silent', '--no-audit', '--no-fund', '--no-package-lock'], folder)
    writeFileSync(stamp, described)
  }
  cpSync(join(SOURCES, name), folder, { recursive: true })
  cpSync(join(SOURCES, 'main.js'), join(folder, 'main.js'))
  for (const own of ['mien-wasm', 'mien-goemotions-tiny']) {
    rmSync(join(folder, 'node_modules', own), { recursive: true, force: true })
    cpSync(join(INSTALLED, own), join(folder, 'node_modules', own), { recursive: true })
  }
  for (const made of ['.next', 'dist', 'node_modules/.vite'])
    rmSync(join(folder, made), { recursive: true, force: true })
  return folder
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

// use(url) while a project's server runs.
async function serving(folder, args, use) {
  const port = String(await freePort())
  const child = spawn(process.execPath, [...args, port], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data))
  const url = `http://127.0.0.1:${port}`
  try {
    for (let i = 0; ; i++) {
      if (await fetch(url).catch(() => undefined)) break
      if (child.exitCode !== null || i === 300) assert.fail(`the server did not start: ${said}`)
      await delay(100)
    }
    await use(url)
  } catch (error) {
    error.message += `\n${said}`
    throw error
  } finally {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

test('plain Node', async () => {
  const script = join(PLACE, 'main.js')
  cpSync(join(SOURCES, 'main.js'), script)
  writeFileSync(
    join(PLACE, 'main.mjs'),
    "globalThis.document = {}\nawait import('./main.js')\nconsole.log(document.title)\n"
  )
  const { stdout } = await execute(process.execPath, ['main.mjs'], PLACE)
  assert.equal(stdout.trim(), EXPECTED)
})

describe('no bundler', { skip }, () => {
  const folders = { '/npm': INSTALLED, '/tests/pages': join(ROOT, 'tests/wasm/pages') }
  const page = '/tests/pages/main.html'
  const withHeaders = async (headers, use) => {
    const server = await serve(folders, headers)
    try {
      await use(server.url)
    } finally {
      server.close()
    }
  }
  test('scripts of the page’s own server', () =>
    withHeaders({}, async (url) => assert.equal(await titleOf(url + page), `${EXPECTED} cached`)))
  test('of another server, as a CDN', () =>
    withHeaders({ 'access-control-allow-origin': '*' }, (cdn) =>
      withHeaders({}, async (url) => assert.equal(await titleOf(`${url}${page}?from=${cdn}/npm`), `${EXPECTED} cached`))
    ))
  test('with a strict content security policy', () =>
    withHeaders(
      { 'content-security-policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" },
      async (url) => assert.equal(await titleOf(url + page), `${EXPECTED} cached`)
    ))
  test('with one that forbids WebAssembly: an error that says so', () =>
    withHeaders({ 'content-security-policy': "default-src 'self'" }, async (url) =>
      assert.match(await titleOf(url + page), /^failed: unsupported .*wasm-unsafe-eval/)
    ))
  test('in a page from http:', () =>
    withHeaders({}, async (url) =>
      assert.equal(await titleOf(url.replace('127.0.0.1', 'insecure.test') + page), `${EXPECTED} unsupported`)
    ))
  test('in a page that is isolated', () =>
    withHeaders(
      { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' },
      async (url) => assert.equal(await titleOf(url + page), `${EXPECTED} cached`)
    ))
})

test('Vite', { skip }, async (t) => {
  const folder = await project('vite')
  const vite = 'node_modules/vite/bin/vite.js'
  const host = ['--host', '127.0.0.1', '--strictPort', '--port']
  for (const round of ['dev server', 'dev server, again'])
    await t.test(round, () =>
      serving(folder, [vite, ...host], async (url) => assert.equal(await titleOf(url), EXPECTED))
    )
  await t.test('build and preview', async () => {
    await execute(process.execPath, [vite, 'build'], folder)
    await serving(folder, [vite, 'preview', ...host], async (url) => assert.equal(await titleOf(url), EXPECTED))
  })
})

test('webpack', { skip }, async () => {
  const folder = await project('webpack')
  await execute(process.execPath, ['node_modules/webpack/bin/webpack.js'], folder)
  cpSync(join(folder, 'index.html'), join(folder, 'dist/index.html'))
  assert.ok(!readFileSync(join(folder, 'dist/main.js'), 'utf8').includes('file:///'), 'a path of this machine')
  const server = await serve({ '': join(folder, 'dist') })
  try {
    assert.equal(await titleOf(`${server.url}/index.html`), EXPECTED)
  } finally {
    server.close()
  }
})

test('Next.js', { skip }, async (t) => {
  const folder = await project('next')
  const next = 'node_modules/next/dist/bin/next'
  await execute(process.execPath, [next, 'build'], folder)
  await serving(folder, [next, 'start', '-H', '127.0.0.1', '-p'], async (url) => {
    await t.test('a client component', async () => assert.equal(await titleOf(url), EXPECTED))
    await t.test('on the server', async () =>
      assert.match(await (await fetch(`${url}/server`)).text(), /<p>gratitude<\/p>/)
    )
  })
})
