// SPDX-License-Identifier: Apache-2.0
// Numbers as text, for people and for files.

/** The shortest decimals that read back to the same float32, as `mien label` writes them. */
export function shortest(value) {
  if (Number.isNaN(value)) return 'nan'
  if (value === 0) return '0.0'
  let text = ''
  // Seven digits are enough for most, nine for all.
  const reads = (digits) => Math.fround(Number((text = value.toPrecision(digits)))) === value
  let digits = 7
  if (reads(digits)) while (digits > 1 && reads(digits - 1)) digits--
  else
    do digits++
    while (digits < 9 && !reads(digits))
  const number = Number(value.toPrecision(digits))
  if (Math.abs(number) < 1e-4) return number.toExponential()
  text = String(number)
  return text.includes('.') || text.includes('e') ? text : `${text}.0`
}

const whole = new Intl.NumberFormat('en')
export const count = (n) => whole.format(n)

/** 0.547 -> '.547', as the model's card has it. */
export const figure = (value) => value.toFixed(3).replace(/^0/, '')

export const percent = (value) => (value > 0.995 ? '99%' : value < 0.005 ? '<1%' : `${Math.round(value * 100)}%`)

export function bytes(n) {
  if (n < 1000) return `${n} bytes`
  return n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`
}

/** 'less than a second', '12 s', '3 min', '1 h 5 min' */
export function duration(seconds) {
  if (seconds < 1) return 'less than a second'
  if (seconds < 90) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`
