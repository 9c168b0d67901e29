// SPDX-License-Identifier: Apache-2.0
// Who uses it how: axe in both schemes and widths, keyboards, narrow screens, paper.
import { assert, labelled, open, seriousFindings, text } from './harness.mjs'

async function everything(options) {
  const { page } = await open(options)
  await page.click('#sample')
  await labelled(page)
  await page.click('#run-text button')
  await page.click('summary')
  await page.focus('.sentence')
  return page
}

const tests = {
  async 'the keyboard reaches everything: skip link first, then what is to be used'() {
    const { page } = await open()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip')
    assert.ok(await page.evaluate(() => document.activeElement.getBoundingClientRect().width > 50))
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'input')
    const reached = new Set()
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press('Tab')
      reached.add(
        await page.evaluate(
          () =>
            document.activeElement.id ||
            document.activeElement.getAttribute('aria-label') ||
            document.activeElement.className
        )
      )
      const outline = await page.evaluate(() => {
        const at = document.activeElement
        return at === document.body || at.id === 'file-input' || getComputedStyle(at).outlineStyle !== 'none'
      })
      assert.ok(outline, `the focus is seen on ${[...reached].pop()}`)
    }
    for (const name of [
      'input-clear',
      'bars-all',
      'sentence',
      'file-input',
      'sample',
      'thresholds-download',
      'Threshold of joy',
      'Threshold of surprise'
    ])
      assert.ok(reached.has(name), name)
  },

  async 'no width needs sideways scrolling, and motion is reduced for who asks'() {
    const page = await everything({ viewport: { width: 360, height: 740 } })
    for (const width of [360, 390, 600, 761, 1024, 1920]) {
      await page.setViewportSize({ width, height: 800 })
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width)
    }
    assert.match(await page.evaluate(() => getComputedStyle(document.querySelector('.fill')).transition), /none|0s/)
  },

  async 'it prints'() {
    const page = await everything()
    await page.emulateMedia({ media: 'print' })
    assert.ok(await page.isHidden('#drop'))
    assert.ok(await page.isVisible('.frequency'))
    const pdf = await page.pdf({ format: 'A4' })
    const pages = pdf.toString('latin1').match(/\/Type \/Page\b/g).length
    assert.ok(pages >= 2 && pages < 12, `${pages} pages`)
  },

  async 'the page says which model it is, and what it is not for'() {
    const { page } = await open()
    const about = await text(page, '#about')
    for (const words of [/goemotions-tiny, 14\.9 MB/, /Not for judging a person/, /English only/, /512 tokens/])
      assert.match(about.replace(/\s+/g, ' '), words)
    assert.match(await text(page, '.intro'), /nothing you write is sent anywhere/)
    const response = await page.request.get(await page.$eval('#about a[href$="README.md"]', (link) => link.href))
    assert.match(await response.text(), /^---\nlicense/)
  },

  async 'nothing but the page’s own files is asked for, whatever is written and dropped'() {
    const asked = []
    const page = await everything({
      before: ({ page }) => page.on('request', (request) => asked.push([request.method(), request.url()]))
    })
    const origin = await page.evaluate(() => location.origin)
    for (const [method, url] of asked)
      assert.ok(
        method === 'GET' && (url.startsWith(`${origin}/some/where/`) || url.startsWith('blob:')),
        `${method} ${url}`
      )
    assert.ok(asked.every(([, url]) => !url.includes('?')))
  }
}

for (const colorScheme of ['light', 'dark'])
  for (const width of [1280, 390])
    tests[`axe has no serious finding, ${colorScheme}, ${width} pixels wide`] = async () => {
      const page = await everything({ colorScheme, viewport: { width, height: 900 } })
      assert.deepEqual(await seriousFindings(page), [])
    }

export default tests
