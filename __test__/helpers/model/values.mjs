// Values of the property tests: elements of every type chosen by a seed, with those that are easily lost among them (NA, NaN, -0, text
// that does not fit into a view), and their form for comparison, which no two different elements share.

import { createHash } from 'node:crypto'

export const TYPES = ['logical', 'integer', 'numeric', 'complex', 'raw', 'character']

/** Zeros of each type: what elements nobody wrote are. */
export const ZERO = {
  logical: false,
  integer: 0,
  numeric: 0,
  complex: { re: 0, im: 0 },
  raw: 0,
  character: '',
}

const SHORT = ['', 'a', 'héllo', '😀', 'a\u0000b', '\u0000', 'twelve bytes', '😀😀😀', 'x'.repeat(11)]
const LONG = ['thirteen bytes', '😀😀😀😀', 'long \u0000 with a NUL in it', '€'.repeat(40)]

/** A string or NA. One in a few hundred has 100 KiB. */
export function text(rng) {
  const die = rng.below(400)
  if (die < 60) return null
  if (die < 200) return rng.pick(SHORT)
  if (die < 250) return rng.pick(LONG)
  if (die < 399) return `${rng.pick(LONG)} ${rng.bits()}`
  return `${rng.pick(SHORT)}${String(rng.below(1000)).padEnd(8, '·')}`.repeat(8 * 1024)
}

const number = rng =>
  rng.pick([null, NaN, -0, 0, Infinity, -1.5, 2 ** 53, 5e-324, rng.bits() / 65536 - 20000])

/** One element; for raw there is no NA. */
export function element(rng, type) {
  if (type === 'logical') return rng.pick([null, true, false])
  if (type === 'integer')
    return rng.below(6) === 0 ? rng.pick([null, 2147483647, -2147483647]) : (rng.bits() | 0) >> 4
  if (type === 'numeric') return number(rng)
  if (type === 'complex')
    return rng.below(5) === 0 ? null : { re: rng.below(1000) / 8, im: -rng.below(1000) / 4 }
  if (type === 'raw') return rng.below(256)
  return text(rng)
}

export const elements = (rng, type, length) => Array.from({ length }, () => element(rng, type))

/** Text of an element: the same for the same bits. Long strings by their hash. */
export function shown(x) {
  if (x === null) return 'NA'
  if (typeof x === 'string')
    return x.length < 60 ? JSON.stringify(x) : `#${x.length}:${createHash('sha1').update(x).digest('hex')}`
  if (typeof x === 'object') return `${shown(x.re)} ${shown(x.im)}i`
  return Object.is(x, -0) ? '-0' : String(x)
}

/** Names as compared: null, or each as {@link shown}. */
export const shownAll = xs => (xs === null ? null : Array.from(xs, shown))
