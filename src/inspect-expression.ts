/**
 * What the console prints of an expression: its type, its length and its formula in R's operators. Touches no element; never throws.
 */
import { dtypeOf, isTypedArray } from './dtype.js'
import { quietly } from './errors.js'
import { element } from './inspect.js'
import { isVector, partsOf } from './vector.js'

/** One step of an expression. */
export interface Node {
  /** Of the operation; of an operand empty. */
  readonly name: string
  /** Of the operation in the binding; -1 for an operand. */
  readonly code: number
  readonly needs: readonly Node[]
  readonly operand: unknown
  /** Code of the type of what it gives, and how many elements. */
  readonly type: number
  readonly length: number
}

/** Levels that are shown. */
const DEPTH = 8
/** Characters of the longest formula. */
const SHOWN = 200
/** Values of an array that are shown. */
const VALUES = 3

const SYMBOLS: Readonly<Record<string, string>> = {
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
  pow: '^',
  mod: '%%',
  idiv: '%/%',
  eq: '==',
  ne: '!=',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
  and: '&',
  or: '|',
}

/** `Expr<numeric> [3]  exp(age * 2) + [1, 2, 3]`. */
export function inspectExpression(node: Node): string {
  const text = quietly(() => formula(node, DEPTH, false), '…')
  const short = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
  return `Expr<${dtypeOf(node.type).name}> [${node.length}]  ${short}`
}

function formula(node: Node, depth: number, isInside: boolean): string {
  if (node.code < 0) return operand(node.operand)
  if (depth === 0) return '…'
  const symbol = SYMBOLS[node.name]
  const [x, y] = node.needs
  if (symbol !== undefined && x !== undefined && y !== undefined) {
    const text = `${formula(x, depth - 1, true)} ${symbol} ${formula(y, depth - 1, true)}`
    return isInside ? `(${text})` : text
  }
  if (node.name === 'neg' || node.name === 'not')
    return `${node.name === 'neg' ? '-' : '!'}${formula(x as Node, depth - 1, true)}`
  const name = node.name === 'logBase' ? 'log' : node.name
  return `${name}(${node.needs.map(need => formula(need, depth - 1, false)).join(', ')})`
}

function operand(x: unknown): string {
  if (isVector(x)) {
    const { handle, length } = partsOf(x)
    const name = quietly(() => handle.name, null)
    return name !== null && length === handle.length ? name : `${x.type}[${length}]`
  }
  if (Array.isArray(x) || isTypedArray(x)) {
    const values = x as ArrayLike<unknown>
    const shown = Array.from({ length: Math.min(values.length, VALUES) }, (_, k) => shownValue(values[k]))
    if (values.length > VALUES) shown.push('…')
    return `[${shown.join(', ')}]`
  }
  return shownValue(x)
}

function shownValue(x: unknown): string {
  return typeof x === 'object' && x !== null && 'int' in x
    ? `${String((x as { int: unknown }).int)}L`
    : element(x)
}
