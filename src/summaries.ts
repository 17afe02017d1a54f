/**
 * Summaries: plain scalars of one vector or of several operands together. What they mean is the core's.
 */
import { isNull, Loans, withLoans } from './brackets.js'
import { COMPLEX, isTypedArray, LOGICAL } from './dtype.js'
import type { Body } from './elementwise.js'
import { fail } from './errors.js'
import { homeOfExpr, isExpr } from './expr.js'
import { fallbackStore } from './home.js'
import { listHandle, isList } from './list.js'
import { native, type NativeSummary } from './native.js'
import { offLoop, splitAsync } from './off-loop.js'
import { encodeOperands } from './operands.js'
import { checkFlag, checkKeys, option } from './options.js'
import { isComplex, isInt } from './scalar.js'
import { spaceOf, type Store } from './store.js'
import { isVector, partsOf, type Vector } from './vector.js'
import { warnMask } from './warnings.js'

type Value = number | string | boolean | null | { re: number; im: number }

const codes = new Map(native.summaries().map((name, code) => [name, code]))

/** The code of a summary of the binding. */
export function summaryCode(name: string): number {
  return codes.get(name) ?? fail('INTERNAL', `the binding has no summary ${name}`)
}

/** A store to work in: the first vector's own, unless temporaries are needed that it cannot take. */
function workplace(xs: readonly unknown[]): Store {
  const found = xs.find(x => isVector(x) || isExpr(x))
  const first = isExpr(found) ? homeOfExpr(found) : (found as Vector | undefined)
  const own = first === undefined ? null : partsOf(first).handle.store
  if (own === null || !spaceOf(own).open) return fallbackStore()
  const needsRoom = xs.some(x => Array.isArray(x) || isTypedArray(x) || typeof x === 'string' || isExpr(x))
  const { accepting, readOnly } = spaceOf(own)
  return needsRoom && (!accepting || readOnly) ? fallbackStore() : own
}

/** Of one summary: the operands that count, and its options. */
function prepared(name: string, xs: readonly unknown[], o: unknown) {
  const remove = checkFlag(checkKeys(o, ['naRm'], name)['naRm'], false, 'naRm')
  // R's NULL counts as nothing.
  const operands = xs.filter(x => !isNull(x))
  for (const x of operands) {
    if (x === undefined) fail('VALUE', `${name}: an operand is undefined`)
    if (isVector(x)) partsOf(x).handle.check()
    else if (isList(x)) listHandle(x).check()
  }
  return { remove, operands, code: summaryCode(name), store: workplace(operands) }
}

function summarise(name: string, xs: readonly unknown[], o: unknown): Value | Value[] {
  const { remove, operands, code, store } = prepared(name, xs, o)
  const summary = withLoans(store, loans => {
    const records = encodeOperands(operands, loans, name)
    return native.summarise(spaceOf(store).handle, code, records, remove, option('threads'))
  })
  return valueOf(name, summary)
}

async function summariseAsync(name: string, x: unknown, o: unknown): Promise<Value | Value[]> {
  const operation = `${name}Async`
  const [watching, rest] = splitAsync(o, operation)
  const { remove, operands, code, store } = prepared(name, [x], rest)
  const prepare = (loans: Loans) => {
    const records = encodeOperands(operands, loans, operation)
    return (handle: number, control: Parameters<typeof native.summariseAsync>[5]) =>
      native.summariseAsync(handle, code, records, remove, option('threads'), control)
  }
  return offLoop(store, watching, operands, prepare, summary => valueOf(name, summary))
}

/** The scalar, or the pair, and its warnings. */
export function valueOf(name: string, { type, values, warnings }: NativeSummary): Value | Value[] {
  warnMask(warnings, name)
  if (type === COMPLEX) {
    const [re, im] = values as (number | null)[]
    return re === null || im === null ? null : { re: re as number, im: im as number }
  }
  if (type === LOGICAL) return values[0] === null ? null : values[0] !== 0
  if (name === 'range') return values
  return values[0] as Value
}

/** Whether a last argument is options: a plain object that is no operand. */
function isOptions(x: unknown): boolean {
  return (
    typeof x === 'object' &&
    x !== null &&
    !isVector(x) &&
    !isExpr(x) &&
    !isList(x) &&
    !isComplex(x) &&
    !isInt(x) &&
    !Array.isArray(x) &&
    !isTypedArray(x)
  )
}

const SEVERAL = ['sum', 'prod', 'min', 'max', 'range', 'any', 'all'] as const
const TWINS = ['sum', 'prod', 'mean', 'min', 'max', 'range'] as const

/** The methods, receiver first. */
export const summaries: Record<string, Body> = {}
/** The free functions that take several operands. */
export const freeSummaries: Record<string, Body> = {}

for (const name of SEVERAL) {
  summaries[name] = (x: unknown, o?: unknown) => summarise(name, [x], o)
  freeSummaries[name] = (...xs: unknown[]) => {
    const last = xs.at(-1)
    return isOptions(last) || last === undefined
      ? summarise(name, xs.slice(0, -1), last)
      : summarise(name, xs, undefined)
  }
}
summaries['mean'] = (x: unknown, o?: unknown) => summarise('mean', [x], o)
for (const name of TWINS) summaries[`${name}Async`] = (x: unknown, o?: unknown) => summariseAsync(name, x, o)
