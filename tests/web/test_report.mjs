// SPDX-License-Identifier: Apache-2.0
// The page of mien report in a browser: who uses it how, and what hostile results do to it.
import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { assert, file, open, ROOT, seriousFindings, skip, text, work } from './harness.mjs'

const LABELS = ['neutral', 'admiration', 'joy', 'love', 'disappointment', 'grief']
const HOSTILE = '<img src=x onerror="globalThis.pwned=1"></style><script>pwned=1</script>&amp;\u202eevil'

const row = (i) => ({
  row: i,
  id: null,
  labels: LABELS.filter((_, l) => (i * 7 + l * 3) % (2 + 2 * l) === 0),
  text: i % 5 ? `Text ${i} of a row, أهلا, ${'long '.repeat(i % 40)}` : HOSTILE,
  date: `2024-${String(1 + (i % 12)).padStart(2, '0')}-11`,
  kind: i % 3 ? 'news' : HOSTILE
})

const rows = Array.from({ length: 600 }, (_, i) => row(i)).map((one) => ({ ...one, scores: one.labels.map(() => 0.9) }))
const jsonl = (list) => list.map((one) => JSON.stringify(one)).join('\n') + '\n'

/** The page on results, opened. */
async function show(name, list, options, ...more) {
  const results = file(`${name}.jsonl`, jsonl(list))
  const page = join(work, 'report.html')
  const mien = resolve(ROOT, process.env.MIEN)
  execFileSync(mien, ['report', '--quiet', results, '-o', page, ...more])
  return open({ url: pathToFileURL(page).href, wait: false, ...options })
}

const fits = async (page, width) => {
  await page.setViewportSize({ width, height: 800 })
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width)
}

const tests = {
  async 'the report is whole without a network, and its counts are those of the results'() {
    const asked = []
    const before = ({ page }) => page.on('request', (request) => asked.push(request.url()))
    const { page } = await show('results', rows, { before, javaScriptEnabled: true }, '--by', 'date')
    assert.deepEqual(asked, [page.url()])
    assert.match(await text(page, 'h1'), /600 rows/)
    const joy = rows.filter(({ labels }) => labels.includes('joy')).length
    assert.match(await text(page, 'tr:has(th:text-is("joy"))'), new RegExp(`\\(${joy}\\)`))
    assert.ok((await page.locator('.pairs .cell').count()) > 0)
    assert.ok((await page.locator('.point').count()) >= 12 * 6)
  },

  async 'hostile texts, labels, values and names are shown and do nothing'() {
    const name = HOSTILE.replace('\u202e', '')
    const hostile = rows.map(({ labels, scores, ...one }) => ({ ...one, labels: [...labels, name] }))
    const { page } = await show('<b>&"\'', hostile, {}, '--by', 'kind')
    assert.equal(await page.evaluate(() => globalThis.pwned), undefined)
    assert.equal(await page.locator('img, script, b').count(), 0)
    assert.ok((await page.locator('.texts p', { hasText: '<img src=x' }).count()) > 0)
    assert.match(await text(page, '.counts tbody th'), /<script>/)
    assert.match(await page.title(), /<b>&"'/)
  },

  async 'the report needs no sideways scrolling, and prints'() {
    const { page } = await show('results', rows, {}, '--by', 'date')
    for (const width of [320, 390, 641, 1024, 1920]) await fits(page, width)
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(255, 255, 255)')
    const pdf = await page.pdf({ format: 'A4' })
    const pages = pdf.toString('latin1').match(/\/Type \/Page\b/g).length
    assert.ok(pages >= 2 && pages < 12, `${pages} pages`)
  }
}

for (const colorScheme of ['light', 'dark'])
  for (const width of [1280, 390])
    tests[`axe has no serious finding of the report, ${colorScheme}, ${width} pixels wide`] = async () => {
      for (const field of ['date', 'kind']) {
        const { page } = await show('results', rows, { colorScheme, viewport: { width, height: 900 } }, '--by', field)
        assert.deepEqual(await seriousFindings(page), [])
      }
    }

if (!process.env.MIEN) skip('the page of mien report', 'there is no native build: build/release/mien, or MIEN')
export default process.env.MIEN ? tests : {}
