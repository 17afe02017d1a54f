/**
 * Warnings: collected by `captureWarnings`, else emitted through `process.emitWarning`. Knows nothing of vectors. One warning per
 * call and code, as in R: callers gather a bit mask while they convert and report it once.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

/** The categories of R's warnings. */
export type WarningCode =
  | 'recycle-remainder'
  | 'integer-overflow'
  | 'nan-produced'
  | 'na-coercion'
  | 'integer-range'
  | 'imaginary-discarded'
  | 'raw-range'
  | 'logical-coercion'
  | 'empty-extremum'
  | 'not-numeric'
  | 'assign-remainder'
  | 'precision-loss'
  | 'length1-array-recycle'
  | 'already-initialized'
  | 'bad-option'
  | 'discarded-on-recovery'

/** One collected warning; `operation` names the call that raised it. */
export interface FmallocWarning {
  /** The category. */
  readonly code: WarningCode
  /** What happened, in R's words where R has some. */
  readonly message: string
  /** The call that warned. */
  readonly operation: string
}

/** Uncaptured warnings beyond this many per thread are silent: a loop over a million elements must not flood stderr. */
const EMITTED_MAX = 50

const captures = new AsyncLocalStorage<FmallocWarning[]>()
let emitted = 0

/** Reports one warning. */
export function warn(code: WarningCode, message: string, operation: string): void {
  const list = captures.getStore()
  if (list !== undefined) {
    list.push(Object.freeze({ code, message, operation }))
  } else if (emitted < EMITTED_MAX) {
    emitted += 1
    process.emitWarning(`${operation}: ${message}`, { type: 'FmallocWarning', code })
  }
}

/** Bits of the core's mask of warnings: its `Warnings`, name by name. */
export const NOTES = {
  naCoercion: 1,
  integerRange: 2,
  imaginaryDiscarded: 4,
  rawRange: 8,
  nanProduced: 16,
  precisionLoss: 32,
  assignRemainder: 64,
  recycleRemainder: 128,
  integerOverflow: 256,
  logicalCoercion: 512,
  emptyExtremum: 1024,
  notNumeric: 2048,
  length1ArrayRecycle: 4096,
} as const

/** In the order in which a call reports them; R's wording. */
const MESSAGES: readonly (readonly [number, WarningCode, string])[] = [
  [NOTES.naCoercion, 'na-coercion', 'NAs introduced by coercion'],
  [NOTES.integerRange, 'integer-range', 'NAs introduced by coercion to integer range'],
  [NOTES.imaginaryDiscarded, 'imaginary-discarded', 'imaginary parts discarded in coercion'],
  [NOTES.rawRange, 'raw-range', 'out-of-range values treated as 0 in coercion to raw'],
  [NOTES.nanProduced, 'nan-produced', 'NaNs produced'],
  [NOTES.precisionLoss, 'precision-loss', 'precision lost: digits beyond the 53 bits of a double'],
  [
    NOTES.assignRemainder,
    'assign-remainder',
    'number of items to replace is not a multiple of replacement length',
  ],
  [
    NOTES.recycleRemainder,
    'recycle-remainder',
    'longer object length is not a multiple of shorter object length',
  ],
  [NOTES.integerOverflow, 'integer-overflow', 'NAs produced by integer overflow'],
  [NOTES.logicalCoercion, 'logical-coercion', 'coercing argument to logical'],
  [NOTES.emptyExtremum, 'empty-extremum', 'no non-missing arguments'],
  [NOTES.notNumeric, 'not-numeric', 'argument is not numeric or logical: returning NA'],
  [
    NOTES.length1ArrayRecycle,
    'length1-array-recycle',
    'Recycling array of length 1 in array-vector arithmetic is deprecated',
  ],
]

/** Reports a mask: one warning for each bit. */
export function warnMask(mask: number, operation: string): void {
  if (mask === 0) return
  for (const [bit, code, message] of MESSAGES) if ((mask & bit) !== 0) warn(code, message, operation)
}

/**
 * Runs `fn` and collects its warnings, also across `await`, instead of emitting them.
 *
 * @example
 * const { value, warnings } = captureWarnings(() => store.vector('integer', [1e10]))   // warnings[0].code === 'integer-range'
 */
export function captureWarnings<R>(fn: () => Promise<R>): Promise<{ value: R; warnings: FmallocWarning[] }>
export function captureWarnings<R>(fn: () => R): { value: R; warnings: FmallocWarning[] }
export function captureWarnings(fn: () => unknown): unknown {
  const warnings: FmallocWarning[] = []
  const result = captures.run(warnings, fn)
  if (isThenable(result)) return Promise.resolve(result).then(value => ({ value, warnings }))
  return { value: result, warnings }
}

function isThenable(x: unknown): x is PromiseLike<unknown> {
  return typeof x === 'object' && x !== null && typeof (x as { then?: unknown }).then === 'function'
}
