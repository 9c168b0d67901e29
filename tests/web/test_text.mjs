// SPDX-License-Identifier: Apache-2.0
// The text that is written: labels at every key, sentences, examples.
import { assert, bars, median, open, report, settled, text, write } from './harness.mjs'

const observe = (page) =>
  page.evaluate(() => {
    globalThis.took = []
    new PerformanceObserver((list) =>
      took.push(...list.getEntriesByName('typed').map(({ duration }) => duration))
    ).observe({ type: 'measure' })
  })

export default {
  async 'labels follow every key of a short text within half a second'() {
    const { page } = await open()
    await write(page, '')
    await observe(page)
    await page.locator('#input').pressSequentially('thank you so much, i was worried about it', { delay: 70 })
    await settled(page)
    await page.waitForTimeout(100)
    const found = await page.evaluate(() => globalThis.took)
    report(
      `from a key to its labels: median ${median(found).toFixed(1)} ms, most ${Math.max(...found).toFixed(1)} ms, ${found.length} keys`
    )
    assert.ok(found.length > 15, `labels of ${found.length} keys`)
    assert.ok(median(found) < 500, `median ${median(found)} ms`)
    assert.equal((await bars(page))[0], 'gratitude')
  },

  async 'what is shown is of the text that is there, however fast it was written'() {
    const { page } = await open()
    await write(page, 'I am so sorry about this.')
    await page
      .locator('#input')
      .pressSequentially(' Thank you for everything! What a day, what a joy, wow.', { delay: 0 })
    await settled(page)
    const shown = await page.$$eval('#bars li', (items) =>
      items.map((item) => [
        item.querySelector('.name').textContent,
        item.querySelector('.value').title.match(/score (\S+),/)[1]
      ])
    )
    const scores = await page.evaluate(async () => {
      const { open } = await import('./model.js')
      const { shortest } = await import('./numbers.js')
      const model = await open({})
      const { allScores } = await model.label(document.getElementById('input').value.trim(), { allScores: true })
      const found = Object.fromEntries(model.labelNames.map((name, i) => [name, shortest(allScores[i])]))
      model.dispose()
      return found
    })
    for (const [name, score] of shown) assert.equal(score, scores[name], name)
  },

  async 'all 28 labels are there when they are asked for'() {
    const { page } = await open()
    assert.ok((await bars(page, false)).length < 12)
    await page.click('#bars-all')
    assert.equal((await bars(page, false)).length, 28)
    assert.equal(await page.getAttribute('#bars-all', 'aria-expanded'), 'true')
  },

  async 'each sentence has its label by colour and by name, and shows its labels by mouse and by keyboard'() {
    const { page } = await open()
    await write(page, 'Thank you so much!\nI am scared of Dr. Smith. The shop opens at nine.')
    const sentences = await page.$$eval('.sentence', (items) =>
      items.map((item) => [item.firstChild.textContent, item.dataset.label, item.querySelector('.tag').textContent])
    )
    assert.deepEqual(sentences, [
      ['Thank you so much!', 'gratitude', 'gratitude'],
      ['I am scared of Dr. Smith.', 'fear', 'fear'],
      ['The shop opens at nine.', 'neutral', 'neutral']
    ])
    assert.deepEqual(await page.$$eval('#legend li', (items) => items.map((item) => item.textContent)), [
      'gratitude 1',
      'fear 1',
      'neutral 1'
    ])
    assert.notEqual(
      ...(await page.$$eval('.sentence', ([a, b]) => [a, b].map((item) => getComputedStyle(item).backgroundColor)))
    )
    await page.hover('.sentence >> nth=0')
    assert.match(await text(page, '#tip'), /gratitude \d\d%/)
    await page.mouse.move(0, 0)
    assert.ok(await page.isHidden('#tip'))
    await page.focus('.sentence >> nth=0')
    await page.keyboard.press('ArrowRight')
    assert.match(await text(page, '#tip'), /fear \d\d%/)
    assert.equal(await page.$$eval('.sentence[tabindex="0"]', (items) => items.length), 1)
    await page.keyboard.press('Enter')
    assert.equal(await text(page, '#bars-title'), 'The sentence you chose')
    assert.equal((await bars(page))[0], 'fear')
    await page.keyboard.press('Escape')
    assert.equal(await text(page, '#bars-title'), 'The whole text')
    await write(page, 'One sentence alone')
    assert.ok(await page.isHidden('#passage-part'))
  },

  async 'sentences are found without Intl.Segmenter too'() {
    const { page } = await open({ before: ({ context }) => context.addInitScript(() => delete Intl.Segmenter) })
    const found = await page.evaluate(async () => {
      const { sentencesOf } = await import('./sentences.js')
      return ['One. Two is “so!” Three?\nFour', 'Mr. A. Smith came. He left…', '  ', 'v1.2 is 3.5 MB'].map(sentencesOf)
    })
    assert.deepEqual(found, [
      ['One. ', 'Two is “so!” ', 'Three?\n', 'Four'],
      ['Mr. A. Smith came. ', 'He left…'],
      ['  '],
      ['v1.2 is 3.5 MB']
    ])
    for (const [i, whole] of ['One. Two is “so!” Three?\nFour', 'Mr. A. Smith came. He left…'].entries())
      assert.equal(found[i].join(''), whole)
  },

  async 'examples show what it can do, and say what it cannot'() {
    const { page } = await open()
    await page.click('#examples button:text("Thanks")')
    await settled(page)
    assert.deepEqual(await bars(page), ['gratitude'])
    assert.equal(await text(page, '#example-note'), '')
    await page.click('#failures button:text("Sarcasm")')
    await settled(page)
    assert.match(await text(page, '#example-note'), /praise at its word/)
    assert.deepEqual(await bars(page), ['admiration'])
    await page.click('#input-clear')
    await settled(page)
    assert.deepEqual(await bars(page, false), [])
  },

  async 'labels are said once the writing rests'() {
    const { page } = await open()
    await write(page, 'Thank you so much')
    await page.waitForFunction(() =>
      /^Labels: gratitude \d\d percent|^Labels: gratitude \d\d%/.test(document.getElementById('bars-said').textContent)
    )
  },

  async 'a text beyond what is read is said to be cut'() {
    const { page } = await open()
    await write(page, 'word '.repeat(700))
    assert.match(await text(page, '#bars-time'), /first 512 tokens/)
  }
}
