// SPDX-License-Identifier: Apache-2.0
// What goes wrong, in words, with a code for programs. index.d.ts lists the codes.
export class MienError extends Error {
  constructor(code, message, options) {
    super(message, options)
    this.name = 'MienError'
    this.code = code
  }
}

// A value as a message shows it.
export const kindOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value)
