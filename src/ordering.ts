/**
 * `order`, `sort`, `unique` and `which`: each a function of its receiver, behind both the method and the free function; the first two also off
 * the event loop. What they mean is the core's.
 */
import { result, type Loans } from './brackets.js'
import { homeOf, type Body } from './elementwise.js'
import { fail } from './errors.js'
import { placeResult } from './home.js'
import { native, type Control } from './native.js'
import { resultOffLoop, splitAsync } from './off-loop.js'
import { encodeOperands } from './operands.js'
import { option } from './options.js'
import { partsOf, type Vector } from './vector.js'

const codes = new Map(native.orderings().map((name, code) => [name, code]))

/** Code, place and operands of one ordering. */
function prepared(name: string, x: unknown, o: unknown, operation: string) {
  const code = codes.get(name) ?? fail('INTERNAL', `the binding has no ordering ${name}`)
  const place = placeResult(partsOf(homeOf([x], operation)).handle, o, operation)
  return { code, place, encode: (loans: Loans) => encodeOperands([x], loans, operation) }
}

function order(name: string, x: unknown, o: unknown): Vector {
  const { code, place, encode } = prepared(name, x, o, name)
  const prepare = (loans: Loans) => {
    const operands = encode(loans)
    return (store: number): void => native.order(store, code, operands, option('threads'))
  }
  return result<Vector>(place, prepare, name)
}

async function orderAsync(name: string, x: unknown, o: unknown): Promise<Vector> {
  const operation = `${name}Async`
  const [watching, rest] = splitAsync(o, operation)
  const { code, place, encode } = prepared(name, x, rest, operation)
  const prepare = (loans: Loans) => {
    const operands = encode(loans)
    return (store: number, control: Control) =>
      native.orderAsync(store, code, operands, option('threads'), control)
  }
  return resultOffLoop<Vector>(place, watching, [x], prepare, operation)
}

/** By name. */
export const ordering: Record<string, Body> = {}

for (const name of codes.keys()) ordering[name] = (x: unknown, o?: unknown) => order(name, x, o)
for (const name of ['order', 'sort'])
  ordering[`${name}Async`] = (x: unknown, o?: unknown) => orderAsync(name, x, o)
