/**
 * What the console prints: one line, at most ten elements touched, never throws.
 */
import { basename } from 'node:path'
import { quietly } from './errors.js'
import type { Store } from './store.js'
import { partsOf, type Vector } from './vector.js'

const SHOWN = 10
/** Of a string. */
const SHOWN_UNITS = 60

/** `Vector<integer> "age" [3]`, `Matrix<numeric> "X" [3 × 4]`, with the state of a dead handle. */
export function summarize(v: Vector<never> | Vector): string {
  const { handle, start, length } = partsOf(v)
  const state = quietly(() => handle.state(), 'closed')
  const name = quietly(() => handle.name, null)
  const named = name === null ? '' : ` ${JSON.stringify(name)}`
  const part = length === handle.length ? '' : ` from ${start}`
  const dead = state === 'closed' || state === 'destroyed' ? ` (${state})` : ''
  const extents = quietly(() => v.dim, null)?.join(' × ') ?? String(length)
  return `${className(v)}<${handle.dtype.name}>${named}${part} [${extents}]${dead}`
}

/** By members: a bundler may have renamed the classes. */
function className(v: object): string {
  return 'columns' in v ? 'Matrix' : 'setDimnames' in v ? 'NdArray' : 'Vector'
}

/** The summary, the first elements, bytes and file. */
export function inspectVector(v: Vector<never> | Vector): string {
  const { handle, length } = partsOf(v)
  const line = summarize(v)
  return quietly(() => {
    if (!handle.isAlive()) return line
    const values: string[] = []
    for (let i = 0; i < Math.min(length, SHOWN); i++) values.push(element(v.get(i)))
    if (length > SHOWN) values.push('…')
    const temporary = handle.state() === 'temporary' ? 'temporary, ' : ''
    const where = handle.space.path === '' ? 'an anonymous file' : basename(handle.space.path)
    return `${line}  ${values.join(', ')}  (${temporary}${size(v.nbytes)} in ${where})`
  }, line)
}

/** `Store "cohort.fm" (persistent, 3 named, 1 MiB)`. */
export function inspectStore(store: Store): string {
  const mode = store.readOnly ? `${store.mode}, read-only` : store.mode
  const line = `Store ${JSON.stringify(store.path)}`
  if (store.closed) return `${line} (closed)`
  return quietly(() => `${line} (${mode}, ${store.size} named, ${size(store.nbytes)})`, line)
}

export function element(x: unknown): string {
  if (x === null) return 'NA'
  if (typeof x === 'string') return JSON.stringify(x.length > SHOWN_UNITS ? `${x.slice(0, SHOWN_UNITS)}…` : x)
  if (typeof x === 'object') {
    const { re, im } = x as { re: number; im: number }
    return `${re}${im < 0 || Object.is(im, -0) ? '-' : '+'}${Math.abs(im)}i`
  }
  return Object.is(x, -0) ? '-0' : String(x)
}

export function size(nbytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = nbytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${Number(value.toPrecision(3))} ${units[unit] as string}`
}
