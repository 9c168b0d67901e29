// SPDX-License-Identifier: Apache-2.0
// Elements: found by their id, made with properties and children. Styles go through classes and custom properties alone,
// since the page's security policy has no inline ones.

export const byId = (id) => document.getElementById(id)

const SVG = 'http://www.w3.org/2000/svg'

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (name.startsWith('--')) element.style.setProperty(name, value)
    else element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false))
  return element
}

/** make('a', { href: '#x', onclick: f, '--at': 3 }, 'text', element, …) */
export const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children)

/** The same in SVG. */
export const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children)

/** Text that is only written when it is another: live regions speak of every write. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** Runs work once before the next frame, however often it is asked for; hidden tabs have no frames, so not long after. */
export function oncePerFrame(work) {
  let frame
  let timer
  const run = () => {
    cancelAnimationFrame(frame)
    clearTimeout(timer)
    frame = timer = undefined
    work()
  }
  return () => {
    if (timer !== undefined) return
    frame = requestAnimationFrame(run)
    timer = setTimeout(run, 250)
  }
}

/** Calls work when nothing was asked for during so many milliseconds. */
export function afterQuiet(milliseconds, work) {
  let timer
  return (...values) => {
    clearTimeout(timer)
    timer = setTimeout(() => work(...values), milliseconds)
  }
}

/** Hands a file to the user. */
export function download(name, blob) {
  const url = URL.createObjectURL(blob)
  make('a', { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 60000)
}
