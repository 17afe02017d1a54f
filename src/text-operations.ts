/**
 * Comparison of strings: by code point, as R's C locale orders them; NA gives NA. The other operand is text as R makes it of its elements, the
 * shorter one is recycled.
 */
import { build, temporaryOf } from './create.js'
import { CHARACTER, dtypeOf, isTypedArray, LOGICAL, parseType } from './dtype.js'
import { fail, show } from './errors.js'
import { fallbackStore, placeResult } from './home.js'
import { inferType } from './infer.js'
import { native } from './native.js'
import { checkText } from './text.js'
import { refusal } from './unsupported.js'
import { isVector, partsOf, type Vector } from './vector.js'
import { NOTES, warnMask } from './warnings.js'

export const COMPARISONS = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const
export type Comparison = (typeof COMPARISONS)[number]

/** `x op y` for a character vector `x`. */
export function compareTexts(op: Comparison, x: Vector, y: unknown, o: unknown): Vector {
  const { handle, start, length } = partsOf(x)
  handle.check()
  const place = placeResult(handle, o, op)
  if (y === null || typeof y === 'string') {
    const text = checkText(y)
    return build(place, dtypeOf(LOGICAL), length, false, result =>
      native.textCompare(handle.token, start, length, op, text, result.token),
    )
  }
  const made = isVector(y) && y.type === 'character' ? undefined : textOf(y, op)
  const other = partsOf(made ?? (y as Vector))
  other.handle.check()
  const count = length === 0 || other.length === 0 ? 0 : Math.max(length, other.length)
  try {
    const answer = build(place, dtypeOf(LOGICAL), count, false, result =>
      native.textCompareWith(
        handle.token,
        start,
        length,
        op,
        other.handle.token,
        other.start,
        other.length,
        result.token,
      ),
    )
    if (count > 0 && count % Math.min(length, other.length) !== 0) warnMask(NOTES.recycleRemainder, op)
    return answer
  } finally {
    made?.destroy()
  }
}

/** R's is.na() of a character vector. */
export function missingTexts(x: Vector): Vector {
  const { handle, start, length } = partsOf(x)
  handle.check()
  return build(placeResult(handle, undefined, 'isNa'), dtypeOf(LOGICAL), length, false, result =>
    native.textMissing(handle.token, start, result.token),
  )
}

/** A temporary character vector of any operand that is none. */
function textOf(y: unknown, op: string): Vector {
  if (isVector(y)) return y.as('character') as Vector
  const values = Array.isArray(y) || isTypedArray(y) ? y : [y]
  if (typeof y === 'undefined' || typeof y === 'function' || typeof y === 'symbol')
    return fail('TYPE', `${op}: expected a value, an array or a Vector, not ${show(y)}`)
  const store = fallbackStore()
  const plain = temporaryOf(store, parseType(inferType(values)), values, op)
  if (plain.type === 'character') return plain
  const text = plain.as('character') as Vector
  plain.destroy()
  return text
}

/** The methods for text; of other types they refuse as `missing` says. */
export function installTextOperations(prototype: object, missing: string): void {
  const put = (name: string, text: (x: Vector, y: unknown, o: unknown) => Vector): void => {
    const refuse = refusal(`Vector.${name}`, missing)
    Object.defineProperty(prototype, name, {
      value(this: Vector, y: unknown, o: unknown) {
        return partsOf(this).handle.dtype.code === CHARACTER ? text(this, y, o) : refuse()
      },
      writable: true,
      configurable: true,
    })
  }
  for (const op of COMPARISONS) put(op, (x, y, o) => compareTexts(op, x, y, o))
  put('isNa', missingTexts)
}
