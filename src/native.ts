/**
 * The only import of the addon. Declares the binding's contract, loads it with an error that says what to do, and wraps every function so
 * that its errors become FmallocError. Numbers, strings and typed arrays cross here; no semantics.
 *
 * A *token* is a small integer naming an object this thread holds; a *store handle* names an open store of this thread. Functions marked
 * [facts] write their answer into the mailbox `facts` instead of building an object: creating a small vector must stay under 3 µs.
 */
import { createRequire } from 'node:module'
import { FmallocError, fromNative } from './errors.js'
import { loadFailure, thisHost } from './load-failure.js'
import type { NativeCompute } from './native/compute.js'
import type { NativeElements } from './native/elements.js'
import type { NativeFiles } from './native/files.js'
import type { NativeObjects } from './native/objects.js'
import type { NativeStores } from './native/stores.js'

export type * from './native/compute.js'
export type * from './native/elements.js'
export type * from './native/files.js'
export type * from './native/objects.js'
export type * from './native/stores.js'

/** Positions in the mailbox. */
export const FACT = {
  token: 0,
  off: 1,
  nbytes: 2,
  cell: 3,
  cellValue: 4,
  type: 5,
  length: 6,
  id: 7,
  generation: 8,
  state: 9,
  pressure: 10,
  kind: 11,
  sealed: 12,
  /** Of createMmapVector only; a store's stand in {@link StoreFacts}. */
  lossCell: 13,
  lossValue: 14,
  /** There may be something for attributesOf. */
  attributes: 15,
} as const

/** The binding: its functions by subject, and those of the thread and the process. */
export interface Native extends NativeStores, NativeObjects, NativeElements, NativeCompute, NativeFiles {
  factsBuffer(): ArrayBuffer
  /** A page written here and read there: the elements of a small vector. */
  stagingBuffer(): ArrayBuffer
  /** Liveness cells of all objects, 65 536 int32 a chunk; private to the facade. */
  cells(chunk: number): ArrayBuffer
  exitSync(): void
  /** The C interface's table, as a tagged external. */
  cApi(): object
}

function load(): Native {
  try {
    return createRequire(import.meta.url)('#native') as Native
  } catch (cause) {
    const host = thisHost()
    const { reason, message } = loadFailure(cause, host)
    throw new FmallocError('ERR_FMALLOC_NATIVE', message, { ...host, reason }, { cause })
  }
}

function guard<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      const result = fn(...args)
      return result instanceof Promise ? (result.catch(rethrow) as R) : result
    } catch (e) {
      throw fromNative(e)
    }
  }
}

/** Only element work and the life of one vector are called a million times a second; none of those return promises. */
function guardHot<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      return fn(...args)
    } catch (e) {
      throw fromNative(e)
    }
  }
}

function rethrow(e: unknown): never {
  throw fromNative(e)
}

const ASYNC = new Set<string>([
  'storeSync',
  'storeVerifyAsync',
  'storeCompactAsync',
  'storeCompactTo',
  'csvRead',
  'csvWrite',
  'npyRead',
  'npyWrite',
  'syncObject',
  'commitAsync',
  'prefetch',
  'summariseAsync',
  'orderAsync',
  'marginAsync',
  'productAsync',
  'evaluateAsync',
  'digestAsync',
])

function wrap(binding: Native): Native {
  const wrapped: Record<string, unknown> = {}
  for (const [name, fn] of Object.entries(binding) as [string, unknown][]) {
    if (typeof fn !== 'function') continue
    const call = fn as (...args: unknown[]) => unknown
    wrapped[name] = ASYNC.has(name) ? guard(call) : guardHot(call)
  }
  return wrapped as unknown as Native
}

/** The binding, its errors translated. */
export const native: Native = wrap(load())

/** The mailbox of this thread: read it at once after a [facts] call, before anything else runs. */
export const facts: Float64Array = new Float64Array(native.factsBuffer())

/** The staging page of this thread. */
export const staging = native.stagingBuffer()

// Node 26: the first detach of any buffer in a thread leaves loops that were already hot several times slower for good. Detach one
// before any can be.
const dummy = new ArrayBuffer(8)
structuredClone(dummy, { transfer: [dummy] })
