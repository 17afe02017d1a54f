/**
 * What the API names and this version does not have yet: one table-driven way to say so. Methods and functions exist and throw UNSUPPORTED
 * with the missing thing named; asynchronous ones reject.
 */
import { fail, FmallocError } from './errors.js'

/** Names that return promises although they do not end in Async. */
const PROMISES = new Set(['sync', 'toArrow'])

/** A function that refuses every call. */
export function refusal(name: string, missing: string): (...args: unknown[]) => never {
  const message = `${name}() is not there yet: ${missing}`
  const short = name.slice(name.lastIndexOf('.') + 1)
  if (!short.endsWith('Async') && !PROMISES.has(short)) return () => fail('UNSUPPORTED', message)
  return (() => Promise.reject(new FmallocError('ERR_FMALLOC_UNSUPPORTED', message))) as () => never
}

/** Puts refusing methods on a prototype or class: `table` maps what is missing to the method names. */
export function refuseMethods(
  target: object,
  owner: string,
  table: Readonly<Record<string, readonly string[]>>,
): void {
  for (const [missing, names] of Object.entries(table)) {
    for (const name of names) {
      if (Object.hasOwn(target, name)) continue
      Object.defineProperty(target, name, {
        value: refusal(`${owner}.${name}`, missing),
        writable: true,
        configurable: true,
      })
    }
  }
}
