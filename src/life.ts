/**
 * What vectors, lists and frames have in common between making and destroying: commit, name, end. It may touch handles, never elements.
 */
import { checkFree, checkName } from './create.js'
import { fail } from './errors.js'
import type { Handle } from './handle.js'
import { checkFlag, checkKeys, isGiven } from './options.js'

/** Commits a temporary, or names what is committed. Throws EXISTS for a taken name without `replace`. */
export function keepObject(handle: Handle, name: unknown, o: unknown): void {
  const replace = checkFlag(checkKeys(o, ['replace'], 'keep')['replace'], false, 'replace')
  const wanted = isGiven(name) ? checkName(name) : null
  handle.check()
  if (handle.store === null)
    fail('UNSUPPORTED', 'keep: a plain file is no store; it keeps its elements as it is')
  handle.space.checkCreatable()
  if (wanted !== null && wanted !== handle.name) checkFree(handle.space, wanted, replace)
  if (handle.state() === 'temporary') handle.commit(wanted, replace)
  else if (wanted !== null && wanted !== handle.name) handle.rename(wanted, replace)
}

/** Ends an object; false if it was dead already. */
export function destroyObject(handle: Handle, unsafe: boolean): boolean {
  if (handle.store !== null && handle.state() !== 'destroyed') handle.checkChangeable()
  return handle.destroy(unsafe)
}
