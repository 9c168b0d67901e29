// SPDX-License-Identifier: Apache-2.0
// Loading: progress, caches, offline visits, new versions, and what is said when something is missing.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serve } from '../../web/serve.mjs'
import { PAGE, PREFIX, assert, bars, labelled, open, ready, report, text, url, work, write } from './harness.mjs'

const kept = (page) =>
  page.waitForFunction(
    () =>
      /kept on this device now/.test(document.getElementById('offline-state').textContent) &&
      navigator.serviceWorker.controller
  )
const since = (page) => page.evaluate(() => Math.round(performance.getEntriesByName('model')[0].duration))
const failed = (page) => page.waitForSelector('[data-kind=failed]')

async function copyOfPage(name) {
  const folder = join(work, name)
  cpSync(PAGE, folder, { recursive: true })
  return { folder, server: await serve(folder, { prefix: PREFIX }) }
}

export default {
  async 'the first load shows bytes and progress, the second comes from the cache'() {
    const seen = []
    const { page, context } = await open({
      before: ({ page, context }) => {
        context.addInitScript(() => {
          globalThis.seen = []
          document.addEventListener('DOMContentLoaded', () =>
            new MutationObserver(() => {
              const bar = document.getElementById('state-progress')
              seen.push([document.getElementById('state-text').textContent, bar.hidden ? null : bar.value / bar.max])
            }).observe(document.getElementById('state'), {
              subtree: true,
              childList: true,
              attributes: true,
              characterData: true
            })
          )
        })
        page.on('request', (request) => seen.push(request.url()))
      }
    })
    const states = await page.evaluate(() => globalThis.seen)
    assert.ok(
      states.some(
        ([words, share]) => /Loading the model: [\d.]+ (kB|MB) of 14\.9 MB/.test(words) && share > 0 && share < 1
      ),
      JSON.stringify(states.slice(0, 5))
    )
    assert.match(
      await text(page, '#state-text'),
      /goemotions-tiny, 14\.9 MB, downloaded, and kept for later visits\. Ready in [\d.]+ s/
    )
    assert.equal(seen.filter((url) => url.endsWith('model.safetensors')).length, 1)
    const first = await since(page)
    await kept(page)
    seen.length = 0
    await page.reload()
    await ready(page)
    assert.match(await text(page, '#state-text'), /from this device/)
    assert.equal(seen.filter((url) => url.endsWith('model.safetensors')).length, 0)
    report(
      `model ready after ${first} ms at the first visit (from this machine), ${await since(page)} ms from the cache`
    )
    const names = await page.evaluate(() => caches.keys())
    assert.ok(
      names.includes('mien-demo-models') && names.some((name) => name.startsWith('mien-demo http')),
      String(names)
    )
    await context.close()
  },

  async 'after the first visit it works without a network: text, file, reload'() {
    const { server } = await copyOfPage('offline')
    const { page, context } = await open({ url: server.url })
    await kept(page)
    server.close()
    await context.setOffline(true)
    await page.reload()
    await ready(page)
    await write(page, 'Thank you, that works without a network!')
    assert.equal((await bars(page))[0], 'gratitude')
    await page.click('#sample')
    await labelled(page)
    assert.match(await text(page, '#run-text'), /42 rows/)
    await page.goto(server.url + 'index.html')
    await ready(page)
  },

  async 'a new version is offered, and comes by itself at the next visit'() {
    const { folder, server } = await copyOfPage('versions')
    const publish = (version) => {
      const index = join(folder, 'index.html')
      const worker = join(folder, 'service-worker.js')
      writeFileSync(
        index,
        readFileSync(index, 'utf8').replace(/<title>.*<\/title>/, `<title>version ${version}</title>`)
      )
      writeFileSync(worker, readFileSync(worker, 'utf8').replace(/VERSION = '.*'/, `VERSION = '${version}'`))
    }
    publish(1)
    const { page } = await open({ url: server.url })
    await kept(page)
    publish(2)
    await page.reload()
    await page.waitForSelector('#update button')
    assert.equal(await page.title(), 'version 1')
    assert.match(await text(page, '#update'), /new version/)
    await page.click('#update button')
    await page.waitForFunction(() => document.title === 'version 2')
    await ready(page)
    publish(3)
    await page.reload()
    await page.waitForSelector('#update button')
    await page.reload()
    await page.waitForFunction(() => document.title === 'version 3')
    await ready(page)
    assert.equal(
      (await page.evaluate(() => caches.keys())).filter((name) => name.startsWith('mien-demo http')).length,
      1
    )
    server.close()
  },

  async 'a model of an earlier version is thrown away'() {
    const { page } = await open()
    await page.evaluate(async () =>
      (await caches.open('mien-demo-models')).put('https://mien-wasm.invalid/SHA-256/00', new Response('old'))
    )
    await page.reload()
    await ready(page)
    assert.equal(await page.evaluate(async () => (await (await caches.open('mien-demo-models')).keys()).length), 1)
  },

  async 'a first visit that loses its connection says so, and goes on when it is back'() {
    const { page, context } = await open({
      wait: false,
      expected: /net::ERR_|Failed to load resource/,
      before: ({ page }) => page.route('**/model.safetensors', async (route) => route.abort('internetdisconnected'))
    })
    await failed(page)
    assert.match(await text(page, '#state-text'), /could not be downloaded/)
    await context.setOffline(true)
    await page.click('#state-retry')
    await page.waitForFunction(() => /There is no connection/.test(document.getElementById('state-text').textContent))
    await context.setOffline(false)
    await page.unroute('**/model.safetensors')
    await page.click('#state-retry')
    await ready(page)
  },

  async 'a browser without WebAssembly SIMD, or without WebAssembly, is told what it lacks'() {
    const simd = await open({
      wait: false,
      before: ({ context }) => context.addInitScript(() => (WebAssembly.validate = () => false))
    })
    await failed(simd.page)
    assert.match(await text(simd.page, '#state-text'), /no WebAssembly SIMD.*Safari from 16\.4/)
    const none = await open({
      wait: false,
      before: ({ context }) => context.addInitScript(() => delete globalThis.WebAssembly)
    })
    await failed(none.page)
    assert.match(await text(none.page, '#state-text'), /no WebAssembly/)
  },

  async 'a model that is not what it should be is refused'() {
    const { page } = await open({
      wait: false,
      before: ({ page }) =>
        page.route('**/model.safetensors', async (route) => {
          const body = readFileSync(join(PAGE, 'mien-goemotions-tiny/model.safetensors'))
          body[body.length - 1] ^= 1
          await route.fulfill({ body, contentType: 'application/octet-stream' })
        })
    })
    await failed(page)
    assert.match(await text(page, '#state-text'), /not the model: something on the way changed it/)
  },

  async 'storage that is full is said to be, and the page works'() {
    const { page } = await open({
      expected: /QuotaExceeded|ServiceWorker|Failed to execute/i,
      before: async ({ page, context }) => {
        const client = await context.newCDPSession(page)
        await client.send('Storage.overrideQuotaForOrigin', { origin: new URL(url).origin, quotaSize: 100000 })
      }
    })
    assert.match(await text(page, '#state-text'), /downloaded, and not kept: the browser had no room for it/)
    await page.waitForFunction(() =>
      /not kept on this device/.test(document.getElementById('offline-state').textContent)
    )
    assert.ok((await bars(page)).length)
  },

  async 'on plain http, where browsers keep nothing, it works and says so'() {
    const { page } = await open({ url: url.replace('localhost', 'plain.test') })
    assert.match(await text(page, '#state-text'), /downloaded, and not kept: this page is not on https/)
    assert.match(await text(page, '#offline-state'), /not kept on this device: this page is not on https/)
  }
}
