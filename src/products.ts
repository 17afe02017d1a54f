/**
 * Matrix products, in core and out of core, and the kernel that multiplies. What they mean is the core's.
 */
import { result, type Loans } from './brackets.js'
import { isTypedArray } from './dtype.js'
import { homeOf, type Body } from './elementwise.js'
import { fail, show } from './errors.js'
import { placeResult } from './home.js'
import { native, type Control } from './native.js'
import { resultOffLoop, splitAsync } from './off-loop.js'
import { encodeOperands } from './operands.js'
import { GIB, isGiven, MIB, option, parseBytes } from './options.js'
import { isComplex, isInt } from './scalar.js'
import { isVector, partsOf, type Vector } from './vector.js'

/** By the code that the binding takes. */
const PRODUCTS = ['matmul', 'crossprod', 'tcrossprod'] as const

/** Whether an argument is options and no operand. */
function isOptions(x: unknown): boolean {
  if (x === undefined) return true
  const isOperand = isVector(x) || Array.isArray(x) || isTypedArray(x) || isComplex(x) || isInt(x)
  return typeof x === 'object' && x !== null && !isOperand
}

/** The bytes that options allow, or 0. */
function limitOf(o: unknown): number {
  const memory = typeof o === 'object' && o !== null ? (o as { memory?: unknown }).memory : undefined
  return isGiven(memory) ? parseBytes(memory, 'memory') : 0
}

/** Bytes that may be kept in memory (0: all, below the threshold), the threshold and a tile. */
function memoryOf(given: number): Float64Array {
  const bytes = (n: number): number => Math.min(Math.floor(n), Number.MAX_SAFE_INTEGER)
  return Float64Array.of(given, bytes(option('oocThresholdGb') * GIB), bytes(option('oocTileMb') * MIB))
}

/** A product: who watches, the place of the result, and what makes it. */
function prepared(operation: string, xs: readonly unknown[], o: unknown) {
  if (xs.some(x => x === undefined)) fail('VALUE', `${operation}: an operand is undefined`)
  const [watching, rest] = splitAsync(o, operation)
  const place = placeResult(partsOf(homeOf(xs, operation)).handle, rest, operation)
  const operands = (loans: Loans): Float64Array => encodeOperands(xs, loans, operation)
  return { watching, place, operands, how: [memoryOf(limitOf(o)), option('threads')] as const }
}

function multiply(code: number, operation: string, xs: readonly unknown[], o: unknown): Vector {
  const { watching, place, operands, how } = prepared(operation, xs, o)
  watching.signal?.throwIfAborted()
  const prepare = (loans: Loans) => {
    const records = operands(loans)
    return (store: number): number => native.product(store, code, records, ...how)
  }
  return result<Vector>(place, prepare, operation)
}

async function multiplyAsync(
  code: number,
  operation: string,
  xs: readonly unknown[],
  o: unknown,
): Promise<Vector> {
  const { watching, place, operands, how } = prepared(operation, xs, o)
  const prepare = (loans: Loans) => {
    const records = operands(loans)
    return (store: number, control: Control) => native.productAsync(store, code, records, ...how, control)
  }
  return resultOffLoop<Vector>(place, watching, xs, prepare, operation)
}

/** Operands and options of a product, of which the second operand may be left out. */
function operandsOf(a: unknown, b: unknown, o: unknown): [readonly unknown[], unknown] {
  return isOptions(b) ? [[a], b ?? o] : [[a, b], o]
}

/** By name, receiver first. */
export const products: Record<string, Body> = {}
/** Products that have no method. */
export const freeProducts: Record<string, Body> = {}

for (const [code, name] of PRODUCTS.entries()) {
  const twin = `${name}Async`
  if (code === 0) {
    products[name] = (a: unknown, b: unknown, o?: unknown) => multiply(code, name, [a, b], o)
    products[twin] = (a: unknown, b: unknown, o?: unknown) => multiplyAsync(code, twin, [a, b], o)
  } else {
    products[name] = (a: unknown, b?: unknown, o?: unknown) => multiply(code, name, ...operandsOf(a, b, o))
    products[twin] = (a: unknown, b?: unknown, o?: unknown) =>
      multiplyAsync(code, twin, ...operandsOf(a, b, o))
  }
  const operation = `fmalloc${name[0]?.toUpperCase()}${name.slice(1)}Ooc`
  freeProducts[operation] = (a: unknown, x?: unknown, tileMb?: unknown) => {
    if (!isVector(a) || a.type !== 'numeric' || a.dim?.length !== 2)
      fail('TYPE', `${operation}: a must be a file-backed matrix of type 'numeric', not ${show(a)}`, {
        kind: 'bad-type',
      })
    const tile = isGiven(tileMb) ? tileMb : 256
    if (typeof tile !== 'number' || !(tile > 0 && Number.isFinite(tile)))
      fail('ARGUMENT', `${operation}: tileMb must be one positive number, not ${show(tile)}`)
    // One tile is worked on while the next is read.
    const memory = Math.max(1, Math.floor(2 * MIB * (tile as number)))
    const xs = code > 0 && !isGiven(x) ? [a] : [a, x]
    return multiply(code, operation, xs, { memory })
  }
}

/**
 * The kernel for products of finite doubles, of the whole process: its name. With an argument it is chosen first: the path or soname of a BLAS
 * library, which is opened and tested; `'blas'`, `''` or null for the built-in one. NA, NaN, infinities, complex numbers and what is no whole
 * double stay with the built-in kernels. A library has threads of its own, and its results are its own to the last bit. Throws NOT_FOUND for a
 * library that is not there or has no `dgemm`, UNSUPPORTED for one that multiplies wrongly; the choice stays as it was.
 *
 * @example
 * fmallocMatmulBackend()                       // 'blas'
 * fmallocMatmulBackend('libopenblas.so.0')     // 'libopenblas.so.0', if it is installed
 */
export function fmallocMatmulBackend(name?: string | null): string {
  if (name === undefined) return native.matmulBackend(null)
  if (name !== null && typeof name !== 'string')
    return fail('ARGUMENT', `fmallocMatmulBackend: name must be text or null, not ${show(name)}`)
  return native.matmulBackend(name ?? '')
}

/** The kernels that {@link fmallocMatmulBackend} knows so far, the built-in one (`'blas'`) first; each can be chosen again by its name. */
export function fmallocMatmulBackends(): string[] {
  return native.matmulBackends()
}
