/**
 * Lazy expressions. `x.lazy()` begins one, its methods add operations, and nothing runs before `evaluate()` or a summary: then everything is one
 * pass over memory. Values are those of the operations one by one, bit for bit. Knows which steps there are and what they are called; types are the
 * core's, and so is what an operation means.
 *
 * What the types of the operands say is refused when an operation is added; their shapes, which may change until then, when it is evaluated.
 */
import { inspect } from 'node:util'
import { result, withLoans, type Loans } from './brackets.js'
import type { Place } from './create.js'
import { codeOf, reporting, warnOf } from './elementwise.js'
import { dtypeOf } from './dtype.js'
import { fail } from './errors.js'
import { fallbackStore, placeResult } from './home.js'
import { inspectExpression, type Node } from './inspect-expression.js'
import { native, type Control } from './native.js'
import { resultOffLoop, offLoop, splitAsync } from './off-loop.js'
import { copyOperand, encodeOperands } from './operands.js'
import { checkFlag, checkKeys, option } from './options.js'
import { spaceOf, type Store } from './store.js'
import { summaries, summaryCode, valueOf } from './summaries.js'
import type {
  Arith,
  AsyncOptions,
  Float,
  NaRm,
  Operand,
  Ord,
  ResultOptions,
  Total,
  Type,
  TypeOf,
  Whole,
} from './types.js'
import { isVector, partsOf, type Vector } from './vector.js'

/** Functions of one argument, by their names as methods of a vector. */
export type MathName =
  | 'abs'
  | 'sign'
  | 'sqrt'
  | 'floor'
  | 'ceiling'
  | 'trunc'
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'log2'
  | 'log10'
  | 'cos'
  | 'sin'
  | 'tan'
  | 'cospi'
  | 'sinpi'
  | 'tanpi'
  | 'acos'
  | 'asin'
  | 'atan'
  | 'cosh'
  | 'sinh'
  | 'tanh'
  | 'acosh'
  | 'asinh'
  | 'atanh'
  | 'gamma'
  | 'lgamma'
  | 'digamma'
  | 'trigamma'

type Logic<T extends Type> = Expr<T extends 'raw' ? 'raw' : 'logical'>

/** What an expression goes on with; operands are vectors, plain values, arrays (copied at once) and other expressions. */
export interface Expr<T extends Type = Type> {
  /** R's `x + y`, element by element. */
  add<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  /** R's `x - y`, element by element. */
  sub<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  /** R's `x * y`, element by element. */
  mul<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  /** R's `x %% y`: the remainder, with the sign of `y`. */
  mod<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  /** R's `x %/% y`: the quotient, rounded down. */
  idiv<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  /** R's `x / y`. */
  div<Y extends Operand>(y: Y): Expr<Float<T, TypeOf<Y>>>
  /** R's `x ^ y`. */
  pow<Y extends Operand>(y: Y): Expr<Float<T, TypeOf<Y>>>
  /** R's `atan2(x, y)`: the angle of the point (y, x), in radians. */
  atan2<Y extends Operand>(y: Y): Expr<Float<T, TypeOf<Y>>>
  /** R's `-x`. */
  neg(): Expr<Arith<T>>
  /** R's `x == y`. */
  eq(y: Operand): Expr<'logical'>
  /** R's `x != y`. */
  ne(y: Operand): Expr<'logical'>
  /** R's `x < y`. */
  lt(y: Operand): Expr<'logical'>
  /** R's `x <= y`. */
  le(y: Operand): Expr<'logical'>
  /** R's `x > y`. */
  gt(y: Operand): Expr<'logical'>
  /** R's `x >= y`. */
  ge(y: Operand): Expr<'logical'>
  /** R's `x & y`, three-valued; of two raw vectors bit by bit. */
  and(y: Operand): Logic<T>
  /** R's `x | y`, three-valued; of two raw vectors bit by bit. */
  or(y: Operand): Logic<T>
  /** R's `xor(x, y)`, three-valued; of two raw vectors bit by bit. */
  xor(y: Operand): Logic<T>
  /** R's `!x`; of a raw vector bit by bit. */
  not(): Logic<T>
  /** Whether each element is missing: NA or NaN, as R's is.na. */
  isNa(): Expr<'logical'>
  /** Whether each element is NaN and not NA. */
  isNaN(): Expr<'logical'>
}

/** The insides of an expression, for the other modules of the facade. */
let nodeOf: (x: Expr<never> | Expr) => Node
let makeExpr: (node: Node) => Expr
/** Whether `x` is an expression of this package. Never throws. */
export let isExpr: (x: unknown) => x is Expr

/** Built by `x.lazy()`; nothing runs before evaluate or a summary. */
export class Expr<T extends Type = Type> {
  /** As in Vector: makes structuredClone and postMessage throw. */
  protected readonly uncloneable: symbol = Symbol(
    'a rfmalloc expression cannot be cloned or posted: send the refs of its vectors',
  )
  readonly #node: Node

  /** Internal. */
  protected constructor(node: Node) {
    this.#node = node
  }

  static {
    nodeOf = x => x.#node
    makeExpr = node => new Expr(node)
    isExpr = (x): x is Expr => typeof x === 'object' && x !== null && #node in x
  }

  /** The element type of the result. */
  get exprType(): T {
    return dtypeOf(this.#node.type).name as T
  }

  /** Elements of the result. */
  get length(): number {
    return this.#node.length
  }

  /** A function of each element: `'abs'`, `'exp'` and all that a vector has. Throws ARGUMENT for another name; NON_NUMERIC, COMPLEX. */
  apply<F extends MathName>(
    fn: F,
  ): Expr<F extends 'abs' ? (T extends Whole ? 'integer' : 'numeric') : Float<T>> {
    if (!MATH_NAMES.has(fn))
      fail('ARGUMENT', `apply: ${inspect(fn)} is none of ${[...MATH_NAMES].join(', ')}`)
    return makeExpr(operation(fn, [this])) as never
  }

  /** The logarithm, natural without a base. */
  log(base?: Operand): Expr<Float<T>> {
    const node = base === undefined ? operation('log', [this]) : operation('logBase', [this, base])
    return makeExpr(node) as never
  }

  /** Rounded to decimal digits. */
  round(digits: Operand = 0): Expr<Float<T>> {
    return makeExpr(operation('round', [this, digits])) as never
  }

  /** Rounded to significant digits. */
  signif(digits: Operand = 6): Expr<Float<T>> {
    return makeExpr(operation('signif', [this, digits])) as never
  }

  /**
   * The elements, in one pass, as a temporary unless named or kept; with the attributes and warnings of the operations one by one. Throws
   * NON_CONFORMABLE, DIM (shapes), DESTROYED, CLOSED (operands), NO_SPACE.
   */
  evaluate(o?: ResultOptions): Vector<T> {
    return evaluateAs(this as never, o, 'evaluate') as unknown as Vector<T>
  }

  /** As {@link evaluate}, off the event loop. Rejects with the signal's reason after an abort; then nothing is left behind. */
  async evaluateAsync(o?: ResultOptions & AsyncOptions): Promise<Vector<T>> {
    const [watching, rest] = splitAsync(o, 'evaluateAsync')
    const { steps, operands, home } = encoded(this.#node)
    const place = placeResult(partsOf(home).handle, rest, 'evaluateAsync')
    const prepare = (loans: Loans) => {
      const records = encodeOperands(operands, loans, 'evaluateAsync')
      return (store: number, control: Control) =>
        native.evaluateAsync(store, steps, records, option('threads'), control)
    }
    const vector = await reportingAsync(
      resultOffLoop(place, watching, operands, prepare, 'evaluateAsync'),
      'evaluateAsync',
    )
    return vector as unknown as Vector<T>
  }

  /** The sum, in one pass; the elements are stored nowhere. The bits of `evaluate().sum()`. */
  sum(o?: NaRm): Total<T> {
    return digest(this.#node, 'sum', o) as Total<T>
  }
  /** As {@link sum}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  sumAsync(o?: NaRm & AsyncOptions): Promise<Total<T>> {
    return digestAsync(this.#node, 'sum', o) as Promise<Total<T>>
  }
  /** The product. In one pass; nothing is stored. */
  prod(o?: NaRm): Total<T> {
    return digest(this.#node, 'prod', o) as Total<T>
  }
  /** As {@link prod}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  prodAsync(o?: NaRm & AsyncOptions): Promise<Total<T>> {
    return digestAsync(this.#node, 'prod', o) as Promise<Total<T>>
  }
  /** The mean. In one pass; nothing is stored. */
  mean(o?: NaRm): Total<T> {
    return digest(this.#node, 'mean', o) as Total<T>
  }
  /** As {@link mean}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  meanAsync(o?: NaRm & AsyncOptions): Promise<Total<T>> {
    return digestAsync(this.#node, 'mean', o) as Promise<Total<T>>
  }
  /** The smallest element. In one pass; nothing is stored. */
  min(o?: NaRm): Ord<T> {
    return digest(this.#node, 'min', o) as Ord<T>
  }
  /** As {@link min}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  minAsync(o?: NaRm & AsyncOptions): Promise<Ord<T>> {
    return digestAsync(this.#node, 'min', o) as Promise<Ord<T>>
  }
  /** The largest element. In one pass; nothing is stored. */
  max(o?: NaRm): Ord<T> {
    return digest(this.#node, 'max', o) as Ord<T>
  }
  /** As {@link max}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  maxAsync(o?: NaRm & AsyncOptions): Promise<Ord<T>> {
    return digestAsync(this.#node, 'max', o) as Promise<Ord<T>>
  }
  /** The smallest and the largest element. In one pass; nothing is stored. */
  range(o?: NaRm): [Ord<T>, Ord<T>] {
    return digest(this.#node, 'range', o) as [Ord<T>, Ord<T>]
  }
  /** As {@link range}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  rangeAsync(o?: NaRm & AsyncOptions): Promise<[Ord<T>, Ord<T>]> {
    return digestAsync(this.#node, 'range', o) as Promise<[Ord<T>, Ord<T>]>
  }
  /** Whether any element is true; null where nobody knows. In one pass; nothing is stored. */
  any(o?: NaRm): boolean | null {
    return digest(this.#node, 'any', o) as boolean | null
  }
  /** Whether all elements are true; null where nobody knows. In one pass; nothing is stored. */
  all(o?: NaRm): boolean | null {
    return digest(this.#node, 'all', o) as boolean | null
  }

  /** The expression as text, never the data. */
  toString(): string {
    return inspectExpression(this.#node)
  }

  /** Text where text is wanted; otherwise throws OPERATOR, since JavaScript operators cannot work here. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString()
    return fail('OPERATOR', 'JavaScript operators do not work on expressions: use e.add(b), e.eq(b)')
  }

  /** What Node prints: the expression. */
  [inspect.custom](): string {
    return this.toString()
  }
}

const BINARY = 'add sub mul mod idiv div pow atan2 eq ne lt le gt ge and or xor'.split(' ')
const UNARY = ['neg', 'not', 'isNa', 'isNaN']
const MATH_NAMES = new Set<string>(
  (
    'abs sign sqrt floor ceiling trunc exp expm1 log log1p log2 log10 cos sin tan cospi sinpi tanpi acos asin atan cosh sinh tanh ' +
    'acosh asinh atanh gamma lgamma digamma trigamma'
  ).split(' '),
)

for (const name of BINARY) {
  const method = {
    [name](this: Expr, y: unknown): Expr {
      return makeExpr(operation(name, [this, y]))
    },
  }[name]
  Object.defineProperty(Expr.prototype, name, { value: method, writable: true, configurable: true })
}
for (const name of UNARY) {
  const method = {
    [name](this: Expr): Expr {
      return makeExpr(operation(name, [this]))
    },
  }[name]
  Object.defineProperty(Expr.prototype, name, { value: method, writable: true, configurable: true })
}

/** The expression that is `x`. */
export function lazy(x: Vector): Expr {
  return makeExpr(leaf(x, 'lazy'))
}

/** An operation of the binding, by its name there, on operands of which one is an expression. */
export function expressionOf(name: string, xs: readonly unknown[]): Expr {
  return makeExpr(operation(name, xs))
}

function leaf(x: unknown, name: string): Node {
  const { operand, type, length } = copyOperand(x, name)
  return { name: '', code: -1, needs: [], operand, type, length }
}

function operation(name: string, xs: readonly unknown[]): Node {
  const needs = xs.map(x => (isExpr(x) ? nodeOf(x) : leaf(x, name)))
  const [x, y = x] = needs as [Node, Node?]
  const code = codeOf(name)
  const [type, length] = native.expressionGives(code, x.type, x.length, y.type, y.length) as [number, number]
  return { name, code, needs, operand: undefined, type, length }
}

interface Encoded {
  /** Three numbers each. */
  readonly steps: Int32Array
  readonly operands: readonly unknown[]
  /** The first vector among the operands: its store is the result's home. */
  readonly home: Vector
}

/** The steps of an expression, each after what it needs and each once, whatever its depth. */
function encoded(root: Node): Encoded {
  const places = new Map<Node, number>()
  const operands: unknown[] = []
  const vectors = new Map<unknown, number>()
  const numbers: number[] = []
  const waiting: Node[] = [root]
  while (waiting.length > 0) {
    const node = waiting.at(-1) as Node
    const missing = places.has(node) ? [] : node.needs.filter(need => !places.has(need))
    if (missing.length > 0) {
      waiting.push(...missing.reverse())
      continue
    }
    waiting.pop()
    if (places.has(node)) continue
    let place = numbers.length / 3
    if (node.code >= 0) {
      const [x, y = x] = node.needs.map(need => places.get(need) as number)
      numbers.push(node.code, x as number, y as number)
    } else if (vectors.has(node.operand)) {
      place = vectors.get(node.operand) as number
    } else {
      if (isVector(node.operand)) vectors.set(node.operand, place)
      numbers.push(-1, operands.length, 0)
      operands.push(node.operand)
    }
    places.set(node, place)
  }
  const home = operands.find(isVector) ?? fail('INTERNAL', 'an expression without a vector')
  return { steps: Int32Array.from(numbers), operands, home }
}

/** Evaluates under the name of another operation. */
export function evaluateAs(x: Expr, o: unknown, operation: string): Vector {
  const { operands, steps, home } = encoded(nodeOf(x))
  const place = placeResult(partsOf(home).handle, o, operation)
  return evaluateEncoded(steps, operands, place, operation)
}

/** Evaluates into a temporary of a store, for an operation that takes no expression. */
export function evaluateIn(store: Store, x: Expr, operation: string): Vector {
  const { operands, steps } = encoded(nodeOf(x))
  const place = { store, name: null, replace: false, commit: false }
  return evaluateEncoded(steps, operands, place, operation)
}

function evaluateEncoded(
  steps: Int32Array,
  operands: readonly unknown[],
  place: Place,
  operation: string,
): Vector {
  const prepare = (loans: Loans) => {
    const records = encodeOperands(operands, loans, operation)
    return (store: number): number => native.evaluate(store, steps, records, option('threads'))
  }
  return reporting(() => result<Vector>(place, prepare, operation), operation)
}

/** The first vector of an expression. */
export function homeOfExpr(x: Expr): Vector {
  return encoded(nodeOf(x)).home
}

/** Where a summary puts what cannot be computed on the way. */
function workplace(home: Vector): Store {
  const own = partsOf(home).handle.store
  if (own === null) return fallbackStore()
  const { accepting, readOnly, open } = spaceOf(own)
  return open && (!accepting || readOnly) ? fallbackStore() : own
}

/** As `reporting`, of work that is not done yet. */
async function reportingAsync<R>(work: Promise<R>, operation: string): Promise<R> {
  try {
    return await work
  } catch (e) {
    warnOf(e, operation)
    throw e
  }
}

/** A summary of a vector as it is: text has its own. */
function isBare(node: Node): boolean {
  return node.code < 0
}

function summaryOf(name: string, o: unknown): boolean {
  return checkFlag(checkKeys(o, ['naRm'], name)['naRm'], false, 'naRm')
}

function digest(node: Node, name: string, o: unknown): unknown {
  if (isBare(node)) return (summaries[name] as (x: unknown, o: unknown) => unknown)(node.operand, o)
  const remove = summaryOf(name, o)
  const { operands, steps, home } = encoded(node)
  const store = workplace(home)
  return reporting(() => {
    const summary = withLoans(store, loans => {
      const records = encodeOperands(operands, loans, name)
      const { handle } = spaceOf(store)
      return native.digest(handle, steps, records, summaryCode(name), remove, option('threads'))
    })
    return valueOf(name, summary)
  }, name)
}

async function digestAsync(node: Node, name: string, o: unknown): Promise<unknown> {
  const operation = `${name}Async`
  if (isBare(node)) return (summaries[operation] as (x: unknown, o: unknown) => unknown)(node.operand, o)
  const [watching, rest] = splitAsync(o, operation)
  const remove = summaryOf(operation, rest)
  const { operands, steps, home } = encoded(node)
  const store = workplace(home)
  const prepare = (loans: Loans) => {
    const records = encodeOperands(operands, loans, operation)
    return (handle: number, control: Control) =>
      native.digestAsync(handle, steps, records, summaryCode(name), remove, option('threads'), control)
  }
  return reportingAsync(
    offLoop(store, watching, operands, prepare, summary => valueOf(name, summary)),
    operation,
  )
}
