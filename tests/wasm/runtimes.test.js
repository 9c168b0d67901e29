// SPDX-License-Identifier: Apache-2.0
// The package in other browsers and runtimes: what is not there is skipped. Firefox and WebKit open a page that posts
// its result to the server, so that they need no driver.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

import { INSTALLED, PLACE, ROOT } from './places.js'
import { serve } from './server.js'

const EXPECTED = 'gratitude,gratitude,gratitude input'
const SOURCES = join(ROOT, 'tests/wasm')
const RUNTIMES = join(PLACE, 'runtimes')
const execute = promisify(execFile)

before(async () => {
  const described = readFileSync(join(SOURCES, 'runtimes/package.json'), 'utf8')
  const stamp = join(RUNTIMES, 'node_modules/.done')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === described) return
  rmSync(RUNTIMES, { recursive: true, force: true })
  mkdirSync(RUNTIMES, { recursive: true })
  writeFileSync(join(RUNTIMES, 'package.json'), described)
  await execute('npm', ['install', '--silent', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: RUNTIMES })
  writeFileSync(stamp, described)
})

const onPath = (name) =>
  process.env.PATH.split(':')
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file))

// The result of the page in a browser that is started with its address.
async function inBrowser(file, args, env) {
  const server = await serve({ '/npm': INSTALLED, '/tests/pages': join(SOURCES, 'pages') })
  const home = mkdtempSync(join(tmpdir(), 'mien-'))
  const child = spawn(file, [...args(home), `${server.url}/tests/pages/main.html`], {
    env: { ...process.env, HOME: home, ...env },
    stdio: 'ignore'
  })
  const ended = once(child, 'exit')
  try {
    const late = delay(90000, 'the page did not end', { ref: false })
    return await Promise.race([server.result(), late, ended.then(() => 'the browser ended')])
  } finally {
    child.kill()
    await ended
    server.close()
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
}

test('Firefox', async (t) => {
  const file = onPath('firefox-esr') ?? onPath('firefox')
  if (!file) return t.skip('firefox-esr is not installed')
  console.log((await execute(file, ['--version'])).stdout.trim())
  const args = (home) => ['--headless', '--no-remote', '--profile', home]
  assert.equal(await inBrowser(file, args), `${EXPECTED} cached`)
})

test('WebKit', async (t) => {
  const [folder] = readdirSync('/usr/lib').filter((name) => existsSync(`/usr/lib/${name}/webkit2gtk-4.1/MiniBrowser`))
  if (!folder) return t.skip('libwebkit2gtk-4.1-0 is not installed')
  if (!onPath('Xvfb')) return t.skip('xvfb is not installed')
  const file = `/usr/lib/${folder}/webkit2gtk-4.1/MiniBrowser`
  // It says its display's number when it is ready.
  const screen = spawn('Xvfb', ['-displayfd', '1', '-screen', '0', '800x600x24'], {
    stdio: ['ignore', 'pipe', 'ignore']
  })
  try {
    const [number] = await once(screen.stdout, 'data')
    const env = { DISPLAY: `:${String(number).trim()}`, GDK_BACKEND: 'x11' }
    console.log((await execute(file, ['--version'], { env: { ...process.env, ...env } })).stdout.trim())
    assert.equal(await inBrowser(file, () => [], env), `${EXPECTED} cached`)
  } finally {
    screen.kill()
  }
})

for (const [name, args] of [
  ['deno', ['run', '--no-lock', '--allow-read=.', 'main.mjs']],
  ['bun', ['main.mjs']]
])
  test(name, async (t) => {
    const file = join(RUNTIMES, 'node_modules/.bin', name)
    const version = await execute(file, ['--version']).catch(() => undefined)
    if (!version) return t.skip(`${name} does not run here`)
    console.log(`${name} ${version.stdout.split('\n')[0]}`)
    // A package of its own, that depends on what lies beside it.
    const dependencies = { 'mien-goemotions-tiny': '*', 'mien-wasm': '*' }
    writeFileSync(join(PLACE, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }))
    cpSync(join(SOURCES, 'projects/main.js'), join(PLACE, 'main.js'))
    const script = "globalThis.document = {}\nawait import('./main.js')\nconsole.log(document.title)\n"
    writeFileSync(join(PLACE, 'main.mjs'), script)
    const { stdout } = await execute(file, args, { cwd: PLACE })
    assert.equal(stdout.trim(), EXPECTED)
  })

test('workerd, with the edge entry', async (t) => {
  const miniflare = join(RUNTIMES, 'node_modules/miniflare/dist/src/index.js')
  const { Miniflare } = await import(pathToFileURL(miniflare)).then((found) => found.default ?? found)
  console.log(
    `workerd ${JSON.parse(readFileSync(join(RUNTIMES, 'node_modules/workerd/package.json'), 'utf8')).version}`
  )
  const contents = `
    import { load, loadHead } from './mien-wasm/edge.js'
    import module from './mien-wasm/mien.wasm'
    import headModule from './mien-wasm/mien-head.wasm'
    import bytes from './model.safetensors'
    export default {
      async fetch() {
        const model = await load(bytes, { module })
        const { labels } = await model.label('thank you so much!')
        model.dispose()
        const head = await loadHead(new Uint8Array(8), undefined, { module: headModule }).catch((error) => error)
        const none = await load().catch((error) => error)
        return new Response([...labels.map(({ label }) => label), head.code, none.code].join(' '))
      }
    }`
  const read = (path) => readFileSync(join(INSTALLED, path))
  const module = (type) => (name) => ({ type, path: `mien-wasm/${name}`, contents: read(`mien-wasm/${name}`) })
  const names = readdirSync(join(INSTALLED, 'mien-wasm')).filter((name) => !/node|cli/.test(name))
  const worker = new Miniflare({
    compatibilityDate: '2026-01-01',
    modules: [
      { type: 'ESModule', path: 'main.js', contents },
      ...names.filter((name) => name.endsWith('.js')).map(module('ESModule')),
      ...names.filter((name) => name.endsWith('.wasm')).map(module('CompiledWasm')),
      { type: 'Data', path: 'model.safetensors', contents: read('mien-goemotions-tiny/model.safetensors') }
    ]
  })
  try {
    const response = await worker.dispatchFetch('http://localhost/')
    assert.equal(await response.text(), 'gratitude input argument')
  } finally {
    await worker.dispose()
  }
})
