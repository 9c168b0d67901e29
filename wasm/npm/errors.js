// SPDX-License-Identifier: Apache-2.0
// What goes wrong, in words, with a code for programs. index.d.ts lists the codes.
export class MienError extends Error {
  constructor(code, message, options) {
    super(message, options)
    this.name = 'MienError'
    this.code = code
  }
}

export function fail(code, message, cause) {
  throw new MienError(code, message, cause && { cause })
}

/** A value as a message shows it. */
export const kindOf = (value) =>
  value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value === 'number' ? value : typeof value

export function expect(is, what, wanted, value) {
  if (!is) fail('argument', `${what}: expected ${wanted}, found ${kindOf(value)}`)
}

export const expectWhole = (value, what, least) =>
  expect(Number.isInteger(value) && value >= least, what, `a whole number from ${least}`, value)
