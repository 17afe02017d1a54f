/**
 * Sums, means and variances of the rows and columns of matrices and arrays. What they mean is the core's.
 */
import { isNull, result, type Loans } from './brackets.js'
import { homeOf, type Body } from './elementwise.js'
import { fail, show } from './errors.js'
import { placeResult } from './home.js'
import { native, type Control } from './native.js'
import { resultOffLoop, splitAsync } from './off-loop.js'
import { encodeOperands } from './operands.js'
import { checkFlag, checkKeys, isGiven, option } from './options.js'
import { partsOf, type Vector } from './vector.js'

/** By the code that the binding takes. */
const MARGINS = ['rowSums', 'colSums', 'rowMeans', 'colMeans', 'fmallocRowVars', 'fmallocColVars'] as const

/** Checks MarginOptions. */
function checkMargin(o: unknown, operation: string): { remove: boolean; dims: number } {
  const raw = checkKeys(o, ['naRm', 'dims'], operation)
  const dims = isGiven(raw['dims']) ? raw['dims'] : 1
  if (!Number.isSafeInteger(dims))
    fail('DIM', `${operation}: invalid 'dims': it must be a whole number, not ${show(dims)}`, {
      kind: 'bad-dims',
    })
  return { remove: checkFlag(raw['naRm'], false, 'naRm'), dims: dims as number }
}

/** The operand; R's NULL and plain values are no arrays. */
function checkArray(x: unknown, operation: string): Vector {
  if (isNull(x) || Array.isArray(x))
    fail('DIM', `${operation}: 'x' must be an array of at least two dimensions`, { kind: 'bad-shape' })
  return homeOf([x], operation)
}

/** A margin: the checked operand, the place of the result, and what makes it. */
function prepared(operation: string, x: unknown, o: unknown) {
  const array = checkArray(x, operation)
  const { remove, dims } = checkMargin(o, operation)
  const place = placeResult(partsOf(array).handle, undefined, operation)
  const operands = (loans: Loans): Float64Array => encodeOperands([array], loans, operation)
  return { array, place, operands, rest: [remove, dims, option('threads')] as const }
}

function marginOf(code: number, operation: string, x: unknown, o: unknown): Vector {
  const { place, operands, rest } = prepared(operation, x, o)
  const prepare = (loans: Loans) => {
    const records = operands(loans)
    return (store: number): number => native.margin(store, code, records, ...rest)
  }
  return result<Vector>(place, prepare, operation)
}

async function marginAsync(code: number, operation: string, x: unknown, o: unknown): Promise<Vector> {
  const [watching, own] = splitAsync(o, operation)
  const { array, place, operands, rest } = prepared(operation, x, own)
  const prepare = (loans: Loans) => {
    const records = operands(loans)
    return (store: number, control: Control) => native.marginAsync(store, code, records, ...rest, control)
  }
  return resultOffLoop<Vector>(place, watching, [array], prepare, operation)
}

/** The methods, receiver first. */
export const margins: Record<string, Body> = {}
/** Those without a method. */
export const freeMargins: Record<string, Body> = {}

for (const [code, name] of MARGINS.entries()) {
  const body = (x: unknown, o?: unknown) => marginOf(code, name, x, o)
  if (name.startsWith('fmalloc')) {
    freeMargins[name] = body
  } else {
    margins[name] = body
    margins[`${name}Async`] = (x: unknown, o?: unknown) => marginAsync(code, `${name}Async`, x, o)
  }
}
