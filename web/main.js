// SPDX-License-Identifier: Apache-2.0
// Starts the page: the model with its progress, then the parts that use it.
import { byId, say } from './dom.js'
import { onFile } from './drop.js'
import { FilePart, tellProblem } from './file.js'
import { NAME, inWords, keeping, metrics, open, size, whyNot } from './model.js'
import { bytes, figure } from './numbers.js'
import { keepPage } from './offline.js'
import { Sliders } from './sliders.js'
import { Curves, Thresholds } from './thresholds.js'
import { Typing } from './typing.js'
import { poolSize } from './run.js'

const state = byId('state')

function showState(kind, text) {
  state.dataset.kind = kind
  byId('state-text').textContent = text
  byId('state-progress').hidden = kind !== 'loading'
  byId('state-retry').hidden = kind !== 'failed'
}

function showProgress({ loaded, total = size }) {
  const bar = byId('state-progress')
  bar.max = total
  bar.value = loaded
  showState('loading', loaded < total ? `Loading the model: ${bytes(loaded)} of ${bytes(total)}` : 'Opening the model…')
}

async function loadModel() {
  const began = performance.now()
  let isCached = false
  showProgress({ loaded: 0 })
  const model = await open({
    onProgress: (progress) => {
      isCached ||= progress.cached === true
      showProgress(progress)
    }
  })
  const took = performance.measure('model', { start: began, end: performance.now() }).duration
  return { model, isCached, took }
}

// A file that was given before there is a model.
let waiting

// Everything that needs the model's labels, made once.
let parts
function makeParts(info, found) {
  if (parts) return parts
  const thresholds = new Thresholds(info.labels, info.thresholds)
  const typing = new Typing(thresholds)
  const sliders = new Sliders(thresholds, new Curves(found, info.labels))
  sliders.givenInText = () => typing.given
  typing.onshow = () => sliders.show()
  const file = new FilePart(thresholds, (rows) => {
    sliders.rows = rows
    sliders.show()
  })
  return (parts = { typing, file })
}

function inform(model, found) {
  byId('model-name').textContent = NAME
  byId('model-size').textContent = bytes(found.bytes)
  byId('model-f1').textContent = figure(found.tuned_on_dev.macro_f1)
  byId('machine').textContent =
    `Here: ${model.info.isa} in WebAssembly, one worker for what you write and ${poolSize()} for files.`
}

async function start() {
  const reason = whyNot()
  if (reason) return showState('failed', reason)
  say(byId('state-said'), 'The model is loading.')
  try {
    const [{ model, isCached, took }, found] = await Promise.all([loadModel(), metrics()])
    const { typing, file } = makeParts(model.info, found)
    inform(model, found)
    typing.start(model)
    if (waiting) file.take(waiting)
    waiting = undefined
    const seconds = `${(took / 1000).toFixed(took < 950 ? 2 : 1)} s`
    const kept = await keeping()
    const source = isCached
      ? 'from this device'
      : kept === 'kept'
        ? 'downloaded, and kept for later visits'
        : `downloaded, and not kept: ${kept}`
    say(byId('state-said'), 'The model is ready.')
    showState('ready', `${NAME}, ${bytes(size)}, ${source}. Ready in ${seconds}.`)
  } catch (error) {
    say(byId('state-said'), inWords(error))
    showState('failed', inWords(error))
  }
}

onFile((file) => {
  if (parts) return parts.file.take(file)
  waiting = file
  tellProblem(`“${file.name}” goes when the model is there.`)
}, tellProblem)
byId('state-retry').addEventListener('click', start)
await start()
keepPage().then(
  () => say(byId('offline-state'), 'It is kept on this device now.'),
  (error) => say(byId('offline-state'), `It is not kept on this device: ${error.message}.`)
)
