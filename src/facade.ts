/**
 * From handles to the objects users see, and back: which class an object of the store gets, and what stands behind one.
 */
import { adopt } from './adopt.js'
import { KIND } from './dtype.js'
import { fail, show } from './errors.js'
import { frameHandle, isFrame, makeFrame } from './frame.js'
import { Handle } from './handle.js'
import { isList, listHandle, makeList } from './list.js'
import { native } from './native.js'
import type { Stored } from './types.js'
import { isVector, isWhole, partsOf } from './vector.js'

/** Makes the facade object of a fresh token, of the class of its kind, and ties them together. */
export function facadeOf(handle: Handle): Stored {
  if (handle.kind < KIND.list) return adopt(handle)
  const object = handle.kind === KIND.list ? makeList(handle) : makeFrame(handle)
  handle.owner = object
  native.attach(handle.token, object)
  return object
}

/** Whether `x` is a Vector, List or DataFrame of this package. Never throws. */
export function isStored(x: unknown): x is Stored {
  return isVector(x) || isList(x) || isFrame(x)
}

/** The handle of a whole object; a subarray shares another's elements and is refused. */
export function handleOf(x: unknown, operation: string): Handle {
  if (isList(x)) return listHandle(x)
  if (isFrame(x)) return frameHandle(x)
  if (!isVector(x))
    return fail(
      'ARGUMENT',
      `${operation}: expected a vector, list or data frame of the store, not ${show(x)}`,
    )
  if (!isWhole(x)) {
    fail(
      'ARGUMENT',
      `${operation}: a subarray shares its vector's elements and cannot be held: use the vector, or copy() it first`,
    )
  }
  return partsOf(x).handle
}
