/**
 * Rows of a data frame: filter and select. What JavaScript gives as a mask or index becomes a vector that lives as long as the call; one native
 * call then picks the rows of all columns.
 */
import { discard, relieve, temporaryOf, withRelief, type Place } from './create.js'
import { parseType } from './dtype.js'
import { fail, show } from './errors.js'
import { frameHandle, type DataFrame } from './frame.js'
import type { Handle } from './handle.js'
import { placeResult } from './home.js'
import { adoptMade } from './list.js'
import { FACT, facts, native } from './native.js'
import { isRIndex, subscriptOf } from './scalar.js'
import { spaceOf, type Store } from './store.js'
import { isVector, isWhole, partsOf } from './vector.js'

/** DataFrame.filter. */
export function filterRows(frame: DataFrame, mask: unknown, o: unknown): DataFrame {
  const place = placeResult(frameHandle(frame), o, 'filter')
  return withIndex(place.store, checkMask(mask), 'filter', index =>
    make(place, (to, token) => native.filterRows(to, token, index), frame),
  )
}

/** DataFrame.select. */
export function selectRows(frame: DataFrame, rows: unknown, o: unknown): DataFrame {
  const place = placeResult(frameHandle(frame), o, 'select')
  const byR = isRIndex(rows)
  const given = byR ? Float64Array.from(subscriptOf(rows), naOf) : rows
  if (given === undefined) return make(place, (to, token) => native.selectRows(to, token, -1, false), frame)
  return withIndex(place.store, checkIndex(given), 'select', index =>
    make(place, (to, token) => native.selectRows(to, token, index, byR), frame),
  )
}

function make(place: Place, call: (to: number, token: number) => void, frame: DataFrame): DataFrame {
  const { handle } = spaceOf(place.store)
  withRelief(() => call(handle, frameHandle(frame).token))
  const pressed = facts[FACT.pressure] === 1
  return adoptMade<DataFrame>(place, () => {
    if (pressed) relieve('minor')
  })
}

/** An index as a type and values of it, or a vector. */
type Given = { readonly type: string; readonly values: unknown }

const NA = new Float64Array(Uint32Array.of(1954, 0x7ff00000).buffer)[0] as number

function naOf(x: number | null): number {
  return x ?? NA
}

function checkMask(mask: unknown): Given | Handle {
  if (isVector(mask)) {
    if (mask.type !== 'logical')
      fail(
        'TYPE',
        `filter: a mask is logical, not ${mask.type}; compare the column, as in df.column('age').gt(3)`,
      )
    return vectorGiven(mask)
  }
  if (!Array.isArray(mask))
    return fail(
      'ARGUMENT',
      `filter: the mask must be a logical vector or an array of booleans, not ${show(mask)}`,
    )
  for (const [k, x] of Array.from(mask as unknown[]).entries()) {
    if (typeof x !== 'boolean' && x !== null)
      fail('VALUE', `filter: element ${k} of the mask must be true, false or null, not ${show(x)}`, {
        index: k,
      })
  }
  return { type: 'logical', values: mask }
}

function vectorGiven(v: Parameters<typeof partsOf>[0]): Given | Handle {
  // A window has no token of its own: its elements are copied.
  return isWhole(v) ? partsOf(v).handle : { type: v.type, values: v }
}

function checkIndex(rows: unknown): Given | Handle {
  if (isVector(rows)) return vectorGiven(rows)
  if (typeof rows === 'number' || typeof rows === 'string') return arrayGiven([rows])
  if (rows instanceof Int32Array) return { type: 'integer', values: rows }
  if (rows instanceof Uint32Array || rows instanceof Float64Array) return { type: 'numeric', values: rows }
  if (Array.isArray(rows)) return arrayGiven(Array.from(rows as unknown[]))
  return fail('SUBSCRIPT', `select: expected positions, a mask, names or rIndex(), not ${show(rows)}`)
}

/** The kind of the elements decides: numbers are positions, booleans a mask, strings names; null is NA in each. */
function arrayGiven(values: readonly unknown[]): Given {
  let kind: string | undefined
  for (const [k, x] of values.entries()) {
    if (x === undefined)
      fail('VALUE', `select: element ${k} is undefined; a missing row is null`, { index: k })
    if (x === null) continue
    const type = ({ number: 'numeric', boolean: 'logical', string: 'character' } as Record<string, string>)[
      typeof x
    ]
    if (type === undefined || (kind !== undefined && kind !== type)) {
      fail(
        'SUBSCRIPT',
        `select: ${show(x)} (element ${k}) does not fit: positions, a mask or names, not a mixture`,
        {
          index: k,
        },
      )
    }
    kind = type
  }
  return { type: kind ?? 'numeric', values }
}

function withIndex<R>(store: Store, given: Given | Handle, operation: string, act: (token: number) => R): R {
  if (!('values' in given)) {
    given.check()
    return act(given.token)
  }
  const { handle } = partsOf(temporaryOf(store, parseType(given.type), given.values, operation))
  try {
    return act(handle.token)
  } finally {
    discard(handle)
  }
}
