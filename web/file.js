// SPDX-License-Identifier: Apache-2.0
// The part of the page for files: taking one, asking what is in it, running, and what came of it.
import { frequency, pairTable, together } from './charts.js'
import { look } from './columns.js'
import { byId, download, make, oncePerFrame, say } from './dom.js'
import { fileOf } from './exports.js'
import { inWords } from './model.js'
import { bytes, count, duration, plural } from './numbers.js'
import { FileProblem } from './records.js'
import { Rows } from './rows.js'
import { run } from './run.js'
import { Table } from './table.js'

const SAMPLES = 3
const STOPPED = new DOMException('stopped', 'AbortError')

/** What is wrong with a file, or '' for nothing. */
export const tellProblem = (text) => say(byId('file-problem'), text)

export class FilePart {
  #latest // the file that was given last
  #file
  #how
  #rows
  #running // AbortController of the run
  #spoken = 0

  /** onRows(rows) is called when rows come or change. */
  constructor(thresholds, onRows) {
    this.thresholds = thresholds
    this.onRows = onRows
    this.table = new Table(thresholds)
    this.#listen()
    thresholds.addEventListener('change', ({ detail }) => {
      this.#rows?.reselect(detail)
      if (this.#rows) this.#redraw()
    })
  }

  #listen() {
    byId('setup-format').addEventListener('change', (event) => this.#look({ format: event.target.value }))
    byId('setup-header').addEventListener('change', (event) =>
      this.#look({ ...this.#how, header: event.target.checked })
    )
    byId('setup-column').addEventListener('change', ({ target }) =>
      this.#look({
        ...this.#how,
        ...(this.#how.format === 'jsonl' ? { field: target.value } : { column: Number(target.value) })
      })
    )
    byId('setup').addEventListener('submit', (event) => {
      event.preventDefault()
      this.#start()
    })
    byId('run-cancel').addEventListener('click', () => this.#running?.abort(STOPPED))
    for (const format of ['csv', 'jsonl'])
      byId(`download-${format}`).addEventListener('click', () => this.#download(format))
  }

  /** A file that was dropped or chosen. */
  async take(file) {
    this.#latest = file
    this.#running?.abort(STOPPED)
    await this.#ended
    if (file !== this.#latest) return
    this.#file = file
    this.#how = undefined
    byId('results').hidden = byId('run').hidden = byId('setup').hidden = true
    this.#rows = undefined
    this.onRows(undefined)
    const isSure = await this.#look({})
    if (file !== this.#latest) return
    if (isSure) this.#start()
    else if (this.#how) byId('setup-title').focus()
  }

  /** Shows what the file looks like; true where nothing has to be asked. */
  async #look(given) {
    tellProblem('')
    const file = this.#file
    try {
      const { how, isSure, columns, samples } = await look(file, given)
      this.#how = how
      this.#showSetup(how, columns, samples)
      return isSure
    } catch (error) {
      tellProblem(
        error instanceof FileProblem
          ? `“${file.name}” cannot be read: ${error.message}`
          : `“${file.name}” cannot be read: ${inWords(error)}`
      )
      return false
    }
  }

  #showSetup(how, columns, samples) {
    byId('setup').hidden = false
    byId('setup-title').textContent = `${this.#file.name}, ${bytes(this.#file.size)}`
    byId('setup-format').value = how.format
    const isTable = how.format === 'csv' || how.format === 'tsv'
    byId('setup-header-part').hidden = !isTable
    byId('setup-header').checked = Boolean(how.header)
    byId('setup-column-part').hidden = how.format === 'text'
    byId('setup-column-name').textContent = isTable ? 'Column with the text' : 'Field with the text'
    byId('setup-column').replaceChildren(...columns.map(({ value, name }) => make('option', { value }, name)))
    byId('setup-column').value = String(how.column ?? how.field ?? '')
    byId('setup-go').textContent = 'Label it'
    const shown = samples
      .slice(0, SAMPLES)
      .map((text) => make('li', {}, text.length > 160 ? `${text.slice(0, 160)}…` : text || '(empty)'))
    byId('setup-preview').replaceChildren(
      make('p', { class: 'note' }, 'Its first texts would be:'),
      make('ol', { class: 'samples' }, shown)
    )
  }

  #ended = Promise.resolve()

  async #start() {
    this.#running?.abort(STOPPED)
    await this.#ended
    tellProblem('')
    const controller = (this.#running = new AbortController())
    const rows = (this.#rows = new Rows(this.thresholds))
    byId('setup').hidden = true
    byId('run').hidden = byId('run-cancel').hidden = byId('run-progress').hidden = false
    byId('results').hidden = true
    byId('run-progress').value = 0
    byId('run-text').textContent = `${this.#file.name}: opening the model…`
    this.table.show(rows)
    this.#ended = this.#run(controller, rows)
    await this.#ended
  }

  async #run(controller, rows) {
    const file = this.#file
    let end
    try {
      const { seconds, workers } = await run(file, this.#how, rows, {
        signal: controller.signal,
        onProgress: (progress) => this.#progress(rows, progress)
      })
      const rate =
        seconds > 0
          ? ` in ${duration(seconds)}: ${count(Math.round(rows.n / seconds))} texts/s with ${plural(workers, 'worker')}`
          : ''
      end = `${file.name}: ${plural(rows.n, 'row')}${rate}.`
      if (!rows.n) tellProblem(`“${file.name}” has no rows.`)
    } catch (error) {
      if (error !== STOPPED)
        tellProblem(`“${file.name}”: ${error instanceof FileProblem ? error.message : inWords(error)}`)
      end = `${file.name}: stopped after ${plural(rows.n, 'row')}.`
    }
    if (rows.bad) end += ` ${plural(rows.bad, 'row was', 'rows were')} not labelled: the list below says why.`
    if (rows.truncated)
      end += ` ${plural(rows.truncated, 'text was', 'texts were')} longer than the 512 tokens that are read.`
    if (rows.unreadable)
      end += ` ${plural(rows.unreadable, 'text has', 'texts have')} characters that are no UTF-8, shown as �: save the file as UTF-8.`
    byId('run-text').replaceChildren(
      end,
      ' ',
      make('button', { type: 'button', class: 'plain', onclick: () => this.#again() }, 'Read it otherwise')
    )
    byId('run-cancel').hidden = byId('run-progress').hidden = true
    say(byId('run-said'), end)
    this.#running = undefined
    this.#redrawNow()
  }

  #again() {
    byId('setup').hidden = false
    byId('setup-title').focus()
  }

  #progress(rows, { share, perSecond, secondsLeft, workers }) {
    byId('run-progress').value = share
    const left = secondsLeft === undefined || perSecond === 0 ? '' : `, ${duration(secondsLeft)} left`
    const rate = perSecond ? `${plural(rows.done, 'row')}, ${count(Math.round(perSecond))} texts/s` : 'its first rows'
    byId('run-text').textContent = `${this.#file.name}: ${rate} with ${plural(workers, 'worker')}${left}`
    // Every tenth of the file, and not more often than in five seconds.
    const now = performance.now()
    if (now - this.#spoken > 5000) {
      this.#spoken = now
      say(byId('run-said'), `${Math.round(100 * share)}% labelled${left}`)
    }
    this.#redraw()
  }

  // Drawing takes longer with more rows, so it waits that much longer in between.
  #cost = 0
  #drawn = 0
  #redraw = oncePerFrame(() => {
    const wait = Math.min(3000, (this.#running ? 400 : 0) + 8 * this.#cost) - (performance.now() - this.#drawn)
    clearTimeout(this.timer)
    if (wait <= 0) this.#redrawNow()
    else this.timer = setTimeout(() => this.#redrawNow(), wait)
  })

  #redrawNow() {
    const rows = this.#rows
    if (!rows) return
    const began = performance.now()
    byId('results').hidden = !rows.done
    const choose = (labels) => {
      this.table.filter(labels)
      byId('rows-title').scrollIntoView({ block: 'start' })
    }
    replace(byId('frequency'), frequency(rows, choose))
    replace(byId('together'), together(rows, choose))
    replace(byId('pairs'), pairTable(rows, choose))
    this.table.update()
    this.onRows(rows)
    this.#drawn = performance.now()
    this.#cost = this.#drawn - began
  }

  async #download(format) {
    const rows = this.#rows
    const button = byId(`download-${format}`)
    const name = this.#file.name.replace(/\.[^.]*$/, '')
    button.disabled = true
    try {
      download(`${name}.labels.${format}`, await fileOf(rows, format, byId('download-all').checked))
    } catch (error) {
      tellProblem(`The download could not be made: ${error.message}`)
    } finally {
      button.disabled = false
    }
  }
}

// Focus stays on the button of the same name.
function replace(box, content) {
  const focused = box.contains(document.activeElement) ? document.activeElement.textContent : undefined
  box.replaceChildren(content)
  if (focused !== undefined)
    [...box.querySelectorAll('button')].find((button) => button.textContent === focused)?.focus()
}
