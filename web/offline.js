// SPDX-License-Identifier: Apache-2.0
// The service worker that keeps the page for offline visits, and how a new version of the page reaches who has an old one.
import { byId, make } from './dom.js'

let asked = false

// The new version takes over, and the page is loaded again from it.
function takeOver(worker) {
  asked = true
  worker.postMessage('take over')
}

function offer(worker) {
  const button = make('button', { type: 'button', onclick: () => takeOver(worker) }, 'Load it')
  byId('update').replaceChildren('There is a new version of this page. ', button)
}

/**
 * Resolves when the page is kept for offline visits; rejects with why it is not. To be called when all is loaded: a service
 * worker whose answers are still on their way does not give way to the next.
 */
export async function keepPage() {
  const { serviceWorker } = navigator
  if (!serviceWorker) throw new Error('this page is not on https')
  const hadPage = Boolean(serviceWorker.controller)
  serviceWorker.addEventListener('controllerchange', () => {
    if (asked) location.reload()
    else if (hadPage)
      byId('update').replaceChildren(
        'A new version of this page was loaded in another tab. ',
        make('button', { type: 'button', onclick: () => location.reload() }, 'Load it here')
      )
  })
  const registration = await serviceWorker.register('service-worker.js', { updateViaCache: 'none' })
  // One that came during the last visit: nothing is lost by loading again, unless something was written already.
  if (registration.waiting && hadPage) {
    const input = byId('input')
    if (input.value === input.defaultValue) return takeOver(registration.waiting)
    offer(registration.waiting)
  }
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing
    worker.addEventListener('statechange', () => {
      if (worker.state === 'installed' && serviceWorker.controller) offer(worker)
    })
  })
  const worker = registration.installing ?? registration.waiting ?? registration.active
  await new Promise((resolve, reject) => {
    const check = () => {
      if (worker.state === 'activated' || worker.state === 'installed') resolve()
      if (worker.state === 'redundant') reject(new Error('the browser had no room for it'))
    }
    worker.addEventListener('statechange', check)
    check()
  })
}
