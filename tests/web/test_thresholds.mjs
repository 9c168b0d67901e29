// SPDX-License-Identifier: Apache-2.0
// Thresholds: what precision and recall become, and the labels of the text and of the file, as the sliders move.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, assert, bars, downloaded, file, label, lines, native, open, text, write } from './harness.mjs'

const THANKS = 'Thank you for staying late to help me move.'
const metrics = JSON.parse(readFileSync(join(ROOT, 'models/goemotions-tiny/metrics.json'), 'utf8'))
const figure = (value) => value.toFixed(3).replace(/^0/, '')
const row = (name) => `#sliders li[data-label="${name}"]`
const parts = (page, name) =>
  page.$$eval(`${row(name)} [data-part]`, (spans) =>
    Object.fromEntries(spans.map((span) => [span.dataset.part, span.textContent]))
  )
const move = (page, name, value) =>
  page.$eval(
    `${row(name)} input`,
    (input, place) => {
      input.value = place
      input.dispatchEvent(new Event('input', { bubbles: true }))
    },
    Math.round(value * 100) - 1
  )
const frame = (page) =>
  page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50))))

export default {
  async 'figures are those of the card, tuned and at any hundredth'() {
    const { page } = await open()
    for (const [name, of] of Object.entries(metrics.per_label)) {
      const { precision, recall, f1 } = await parts(page, name)
      assert.deepEqual([precision, recall, f1], [of.precision, of.recall, of.f1].map(figure), name)
    }
    assert.match(
      await text(page, '#totals'),
      new RegExp(`macro F1 \\${figure(metrics.tuned_on_dev.macro_f1)} at the tuned`)
    )
    for (const value of [0.01, 0.5, 0.87]) {
      await move(page, 'joy', value)
      await frame(page)
      const { tp, fp } = metrics.curves.labels.joy
      const place = Math.round(value * 100) - 1
      const precision = tp[place] / Math.max(1, tp[place] + fp[place])
      const recall = tp[place] / metrics.per_label.joy.support
      const found = await parts(page, 'joy')
      assert.deepEqual(
        [found.value, found.precision, found.recall, found.f1],
        [
          value.toFixed(2).slice(1),
          figure(precision),
          figure(recall),
          figure((2 * precision * recall) / (precision + recall))
        ]
      )
    }
    await page.focus(`${row('joy')} input`)
    await page.keyboard.press('ArrowLeft')
    await frame(page)
    assert.equal((await parts(page, 'joy')).value, '.86')
    assert.match(
      await page.getAttribute(`${row('joy')} input`, 'aria-valuetext'),
      /^\.86: precision \.\d{3}, recall \.\d{3}, F1 \.\d{3}$/
    )
  },

  async 'labels of the text and of the file follow a slider at once, reset brings them back, files take the same thresholds'() {
    const { page } = await open()
    const path = file('t.txt', `${THANKS}\nI am scared\nwhat a lovely day, I am happy\nwhy is it so cold?\n`)
    await label(page, path)
    await write(page, THANKS)
    assert.deepEqual(await bars(page), ['gratitude'])
    const before = await downloaded(page, '#download-jsonl')
    await move(page, 'gratitude', 0.99)
    await move(page, 'curiosity', 0.05)
    await move(page, 'sadness', 0.01)
    await page.waitForFunction(
      () => !document.querySelector('#bars .given [class=name]')?.textContent.includes('gratitude')
    )
    await page.waitForFunction(() => !/gratitude/.test(document.querySelector('.rows tbody tr').textContent))
    const after = await downloaded(page, '#download-jsonl')
    assert.notEqual(after.text, before.text)
    const thresholds = await downloaded(page, '#thresholds-download')
    assert.equal(thresholds.name, 'thresholds.json')
    const set = JSON.parse(thresholds.text)
    assert.equal(Object.keys(set).length, 28)
    assert.deepEqual([set.gratitude, set.curiosity, set.sadness], [0.99, 0.05, 0.01])
    const given = JSON.parse(readFileSync(join(ROOT, 'models/goemotions-tiny/thresholds.json'), 'utf8'))
    assert.equal(set.joy, given.joy)
    const options = ['--thresholds', file('thresholds.json', thresholds.text)]
    assert.equal(after.text, native(path, 'jsonl', ...options) ?? after.text)
    const counted = lines(after.text)
      .map(JSON.parse)
      .filter(({ labels }) => labels.includes('sadness')).length
    await page.waitForFunction(
      (n) => document.querySelector('#sliders [data-label=sadness] [data-part=count]').textContent === String(n),
      counted
    )
    await page.click('#thresholds-reset')
    await frame(page)
    assert.deepEqual(await bars(page), ['gratitude'])
    assert.ok(await page.isDisabled('#thresholds-reset'))
    assert.equal((await downloaded(page, '#download-jsonl')).text, before.text)
    assert.deepEqual(JSON.parse((await downloaded(page, '#thresholds-download')).text), given)
  },

  async 'numbers are the shortest decimals of their float32'() {
    const { shortest } = await import('../../web/numbers.js')
    for (const [value, expected] of [
      [0, '0.0'],
      [1, '1.0'],
      [0.5, '0.5'],
      [0.1, '0.1'],
      [1e-4, '0.0001'],
      [9.5e-5, '9.5e-5'],
      [1e-10, '1e-10'],
      [0.9971179, '0.9971179'],
      [1 / 3, '0.33333334'],
      [NaN, 'nan']
    ])
      assert.equal(shortest(Math.fround(value)), expected)
    for (let i = 1; i < 20000; i++) {
      const value = Math.fround(i * 7.919e-5 - Math.floor(i * 7.919e-5))
      assert.equal(Math.fround(Number(shortest(value))), value)
    }
  }
}
