/**
 * Rows of a data frame: filter and select. One native call picks the rows of all columns.
 */
import { STYLE, withLoans } from './brackets.js'
import { relieve, withRelief } from './create.js'
import { fail, show } from './errors.js'
import { frameHandle, type DataFrame } from './frame.js'
import { placeResult } from './home.js'
import { encodeIndex, encodeMask, type Lend } from './indices.js'
import { adoptMade } from './list.js'
import { FACT, facts, native, type NativeIndex } from './native.js'
import { spaceOf } from './store.js'
import { isVector } from './vector.js'

/** DataFrame.filter. */
export function filterRows(frame: DataFrame, mask: unknown, o: unknown): DataFrame {
  const check = (lend: Lend): NativeIndex => checkMask(mask, lend)
  return pickRows(frame, check, native.filterRows, o, 'filter')
}

/** DataFrame.select. */
export function selectRows(frame: DataFrame, rows: unknown, o: unknown): DataFrame {
  const check = (lend: Lend): NativeIndex => encodeIndex(rows, STYLE.zero, lend, 'select')
  return pickRows(frame, check, native.selectRows, o, 'select')
}

function pickRows(
  frame: DataFrame,
  check: (lend: Lend) => NativeIndex,
  pick: (handle: number, token: number, index: NativeIndex) => void,
  o: unknown,
  operation: string,
): DataFrame {
  const place = placeResult(frameHandle(frame), o, operation)
  return withLoans(place.store, loans => {
    const index = check(loans.lend)
    withRelief(() => pick(spaceOf(place.store).handle, frameHandle(frame).token, index))
    const isPressed = facts[FACT.pressure] === 1
    return adoptMade<DataFrame>(place, () => {
      if (isPressed) relieve('minor')
    })
  })
}

function checkMask(mask: unknown, lend: Lend): NativeIndex {
  if (isVector(mask)) {
    if (mask.type !== 'logical')
      fail(
        'TYPE',
        `filter: a mask is logical, not ${mask.type}; compare the column, as in df.column('age').gt(3)`,
      )
    return encodeIndex(mask, STYLE.zero, lend, 'filter')
  }
  if (!Array.isArray(mask))
    return fail(
      'ARGUMENT',
      `filter: the mask must be a logical vector or an array of booleans, not ${show(mask)}`,
    )
  const values = Array.from(mask as unknown[], (x, k) =>
    typeof x === 'boolean' || x === null
      ? x
      : fail('VALUE', `filter: element ${k} of the mask must be true, false or null, not ${show(x)}`, {
          index: k,
        }),
  )
  return encodeMask(values)
}
