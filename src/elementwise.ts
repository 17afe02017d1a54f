/**
 * Operators, mathematics and cumulatives, element by element: each a function of its receiver, behind both the method and the free function.
 * What they mean is the core's.
 */
import { isNull, result, withLoans } from './brackets.js'
import { temporaryOf } from './create.js'
import { dtypeOf, NUMERIC } from './dtype.js'
import { fail, isFmallocError, show } from './errors.js'
import { evaluateAs, expressionOf, homeOfExpr, isExpr } from './expr.js'
import { fallbackStore, placeResult } from './home.js'
import { native } from './native.js'
import { encodeOperands } from './operands.js'
import { option } from './options.js'
import { spaceOf } from './store.js'
import { isVector, partsOf, type Vector } from './vector.js'
import { warnMask } from './warnings.js'

const codes = new Map(native.operations().map((name, code) => [name, code]))

/** The code of an operation of the binding. */
export function codeOf(name: string): number {
  return codes.get(name) ?? fail('INTERNAL', `the binding has no operation ${name}`)
}

/** An operation's body: receiver, other operands, options. */
export type Body = (...args: never[]) => unknown

/** The vector whose store is the result's home: the first of the operands. */
export function homeOf(xs: readonly unknown[], operation: string): Vector {
  const first = xs.find(x => isVector(x) || isExpr(x))
  if (isExpr(first)) return homeOfExpr(first)
  return (
    (first as Vector | undefined) ??
    fail(
      'ARGUMENT',
      `${operation}: at least one operand must be a Vector, not ${xs.map(x => show(x)).join(', ')}`,
    )
  )
}

/** Runs operation `name` of the binding; the result is a temporary, unless the options say otherwise. */
function operate(name: string, xs: readonly unknown[], o: unknown, operation: string): Vector {
  // With an expression among them all becomes one; running values are of elements that stand somewhere.
  if (!CUMULATIVE.includes(name) && xs.some(isExpr)) return evaluateAs(expressionOf(name, xs), o, operation)
  const code = codeOf(name)
  const place = placeResult(partsOf(homeOf(xs, operation)).handle, o, operation)
  const prepare = (loans: Parameters<typeof encodeOperands>[1]) => {
    const operands = encodeOperands(xs, loans, operation)
    return (store: number): number => native.operate(store, code, operands, option('threads'))
  }
  return reporting(() => result<Vector>(place, prepare, operation), operation)
}

/** Reports what work has warned of before it failed. */
export function warnOf(e: unknown, operation: string): void {
  if (isFmallocError(e) && typeof e.details['warnings'] === 'number')
    warnMask(e.details['warnings'], operation)
}

/** Runs work, and reports what it has warned of if it fails. */
export function reporting<R>(work: () => R, operation: string): R {
  try {
    return work()
  } catch (e) {
    warnOf(e, operation)
    throw e
  }
}

const BINARY = 'add sub mul div pow mod idiv eq ne lt le gt ge and or xor atan2'.split(' ')
const MATH = (
  'abs sign sqrt floor ceiling trunc exp expm1 log1p log2 log10 cos sin tan cospi sinpi tanpi acos asin atan cosh sinh tanh ' +
  'acosh asinh atanh gamma lgamma digamma trigamma'
).split(' ')
const CUMULATIVE = ['cumsum', 'cumprod', 'cummax', 'cummin']
const DIGITS: readonly (readonly [string, number])[] = [
  ['round', 0],
  ['signif', 6],
]
const TESTS = ['isNa', 'isNaN']
const IN_PLACE = ['add', 'sub', 'mul', 'div']

/** By name. */
export const elementwise: Record<string, Body> = {}

for (const name of BINARY) {
  elementwise[name] = (x: unknown, y: unknown, o?: unknown) => {
    if (y === undefined) fail('VALUE', `${name}: the second operand is undefined`)
    return operate(name, [x, y], o, name)
  }
}
for (const name of MATH) {
  elementwise[name] = (x: unknown, o?: unknown) =>
    isNull(x)
      ? fail('NON_NUMERIC', 'non-numeric argument to mathematical function', {
          kind: 'non-numeric',
          function: name,
        })
      : operate(name, [x], o, name)
}
for (const name of CUMULATIVE) {
  elementwise[name] = (x: unknown, o?: unknown) => {
    // R's NULL counts as no numbers.
    if (isNull(x)) return temporaryOf(fallbackStore(), dtypeOf(NUMERIC), [], name)
    return operate(name, [x], o, name)
  }
}
elementwise['neg'] = (x: unknown, o?: unknown) => operate('neg', [x], o, 'neg')
elementwise['not'] = (x: unknown, o?: unknown) => operate('not', [x], o, 'not')
for (const [name, byDefault] of DIGITS) {
  elementwise[name] = (x: unknown, digits: unknown = byDefault, o?: unknown) =>
    operate(name, [x, digits], o, name)
}
for (const name of TESTS) elementwise[name] = (x: unknown) => operate(name, [x], undefined, name)
elementwise['log'] = (x: unknown, base?: unknown, o?: unknown) =>
  base === undefined ? operate('log', [x], o, 'log') : operate('logBase', [x, base], o, 'log')

/** Writes `x op y` over the elements of `x`. */
function operateInPlace(name: string, x: unknown, y: unknown, operation: string): Vector {
  if (!isVector(x)) return fail('ARGUMENT', `${operation}: expected a Vector to write to, not ${show(x)}`)
  const { handle } = partsOf(x)
  handle.checkWritable()
  const store = handle.store ?? fallbackStore()
  const mask = withLoans(store, loans => {
    const operands = encodeOperands([x, y], loans, operation)
    // The user's code may have run meanwhile.
    handle.checkWritable()
    return native.operateInPlace(spaceOf(store).handle, codeOf(name), operands, option('threads'))
  })
  warnMask(mask, operation)
  return x
}

for (const name of IN_PLACE) {
  elementwise[`${name}InPlace`] = (x: unknown, y: unknown) => operateInPlace(name, x, y, `${name}InPlace`)
}

/** R's names for arithmetic in place, which is of numeric vectors only. */
export const numericInPlace: Record<string, Body> = {}

for (const name of IN_PLACE) {
  const operation = `fmalloc${name[0]?.toUpperCase()}${name.slice(1)}`
  numericInPlace[operation] = (x: unknown, y: unknown) => {
    if (isVector(x) && x.type !== 'numeric')
      fail('TYPE', `${operation}: x must be a numeric vector, not one of type '${x.type}'`, {
        kind: 'bad-type',
      })
    return operateInPlace(name, x, y, operation)
  }
}
