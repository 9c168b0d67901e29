// SPDX-License-Identifier: Apache-2.0
// Where files come from: the page, on which one can be dropped, the button, and the sample.
import { byId } from './dom.js'
import { sampleFile } from './sample.js'

const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files')

/** take(file) is called for each, refuse(why) for what is none. */
export function onFile(take, refuse) {
  const input = byId('file-input')
  input.addEventListener('change', () => {
    if (input.files[0]) take(input.files[0])
    input.value = '' // the same file again is a change too
  })
  byId('sample').addEventListener('click', () =>
    sampleFile().then(take, (error) => refuse(`The sample could not be fetched: ${error.message}`))
  )

  // Anywhere on the page: a file that misses the frame must not replace the page.
  let depth = 0
  const mark = (change) => byId('drop').classList.toggle('over', (depth = Math.max(0, depth + change)) > 0)
  addEventListener('dragenter', (event) => hasFile(event) && mark(1))
  addEventListener('dragleave', (event) => hasFile(event) && mark(-1))
  addEventListener('dragover', (event) => hasFile(event) && event.preventDefault())
  addEventListener('drop', (event) => {
    if (!hasFile(event)) return
    event.preventDefault()
    mark(-depth)
    const [file, another] = event.dataTransfer.files
    if (another) refuse('That is more than one file: please drop one.')
    else if (file) take(file)
    byId('file').scrollIntoView({ block: 'start' })
  })
}
