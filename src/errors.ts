/**
 * The one error class. It may touch nothing else. Codes are written once in Rust and repeated here as a union, which a test
 * compares; messages say what, where and what to do, and keep R's wording where R has one.
 */

/** Every code a {@link FmallocError} may carry. */
export type FmallocErrorCode = `ERR_FMALLOC_${
  | 'ARGUMENT'
  | 'TYPE'
  | 'VALUE'
  | 'OUT_OF_BOUNDS'
  | 'SUBSCRIPT'
  | 'NON_NUMERIC'
  | 'NON_CONFORMABLE'
  | 'DIM'
  | 'COMPLEX'
  | 'LENGTH'
  | 'OPERATOR'
  | 'UNSUPPORTED'
  | 'NOT_INITIALIZED'
  | 'CLOSED'
  | 'DESTROYED'
  | 'BUSY'
  | 'READ_ONLY'
  | 'SEALED'
  | 'EXISTS'
  | 'NOT_FOUND'
  | 'MODE'
  | 'LOCKED'
  | 'STALE_REF'
  | 'OTHER_STORE'
  | 'CYCLE'
  | 'NOT_A_STORE'
  | 'CORRUPT'
  | 'TRUNCATED'
  | 'VERSION'
  | 'NO_SPACE'
  | 'TOO_LARGE'
  | 'IO'
  | 'POISONED'
  | 'NO_EXTERNAL'
  | 'ENCODING'
  | 'NATIVE'
  | 'INTERNAL'}`

/** The code without its prefix. */
export type Short = FmallocErrorCode extends `ERR_FMALLOC_${infer S}` ? S : never

/** Why R refuses a call, too: `details.kind` of such an error. */
export type FmallocErrorKind =
  | 'non-numeric'
  | 'bad-type'
  | 'complex-unsupported'
  | 'non-conformable'
  | 'dim-mismatch'
  | 'bad-dims'
  | 'bad-shape'
  | 'bad-argument'
  | 'bad-subscript'
  | 'out-of-bounds'
  | 'mixed-signs'
  | 'subscript-too-long'
  | 'wrong-dims'
  | 'no-dimnames'
  | 'empty-replacement'
  | 'na-subscript'
  | 'assign-length'
  | 'empty-extremum'

/** Facts beside a message, JSON-safe where they can be. `kind` is there where R refuses, too: a {@link FmallocErrorKind}. */
export type Details = Readonly<Record<string, unknown>>

const NONE: Details = Object.freeze({})

/**
 * Every error of this package. Tell them apart by `code`.
 *
 * @example
 * try { store.getVector('age') } catch (e) { if (isFmallocError(e, 'ERR_FMALLOC_NOT_FOUND')) create() }
 */
export class FmallocError extends Error {
  /** What went wrong, for programs. */
  readonly code: FmallocErrorCode
  /** Facts beside the message: offsets, lengths, names. */
  readonly details: Details

  constructor(code: FmallocErrorCode, message: string, details: Details = NONE, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = Object.freeze(details)
  }

  static {
    // On the prototype: an own `name` would be printed beside every stack.
    Object.defineProperty(FmallocError.prototype, 'name', {
      value: 'FmallocError',
      configurable: true,
      writable: true,
    })
  }
}

/** Whether `e` is an error of this package, and of this code if one is given. Never throws. */
export function isFmallocError<K extends FmallocErrorCode>(
  e: unknown,
  code?: K,
): e is FmallocError & { readonly code: K } {
  return e instanceof FmallocError && (code === undefined || e.code === code)
}

/** Throws; the only way the facade raises an error of its own. */
export function fail(code: Short, message: string, details?: Details): never {
  throw new FmallocError(`ERR_FMALLOC_${code}`, message, details)
}

/**
 * The binding's errors carry `code`, and `message` or `message NUL {json details}`; those of promises have no code of their own and
 * write `code SOH` in front. Anything else is a bug and becomes INTERNAL.
 */
export function fromNative(e: unknown): unknown {
  if (e instanceof FmallocError || !(e instanceof Error)) return e
  const cut = e.message.indexOf('\u0001')
  const code = cut < 0 ? (e as { code?: unknown }).code : e.message.slice(0, cut)
  if (typeof code !== 'string' || !code.startsWith('ERR_FMALLOC_')) {
    return new FmallocError('ERR_FMALLOC_INTERNAL', `the native part refused a call: ${e.message}`, NONE, {
      cause: e,
    })
  }
  const [text, json] = e.message.slice(cut + 1).split('\0', 2) as [string, string?]
  return new FmallocError(code as FmallocErrorCode, text, json === undefined ? NONE : parseDetails(json))
}

function parseDetails(json: string): Details {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Details) : NONE
  } catch {
    return NONE
  }
}

/** A short printable form of any value, for messages. Never throws, never longer than about 60 characters. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 50 ? `${value.slice(0, 50)}…` : value)
    case 'bigint':
      return `${value}n`.slice(0, 60)
    case 'symbol':
    case 'number':
    case 'boolean':
    case 'undefined':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'function':
      return 'a function'
    default:
      return value === null ? 'null' : Array.isArray(value) ? `an array of ${value.length}` : 'an object'
  }
}

/** What `fn` returns, or the other value if it throws: for metadata and printing, which never throw. */
export function quietly<R>(fn: () => R, otherwise: R): R {
  try {
    return fn()
  } catch {
    return otherwise
  }
}
