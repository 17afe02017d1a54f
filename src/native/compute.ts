/**
 * The binding where values are computed: operations, summaries, expressions, margins, products, orderings, and what watches them off the
 * event loop. Types only. Operands are records of operands.ts. Functions marked [facts] answer in the mailbox: see ../native.ts.
 */
import type { Progress } from '../types.js'

/** What watches and stops work on another thread; opaque. */
export interface Control {
  readonly control: unique symbol
}

/** A vector that was made off the event loop. */
export interface NativeMade {
  /** For `refresh`, which puts its facts into the mailbox. */
  token: number
  warnings: number
  /** The store asks for a collection. */
  pressure: boolean
}

/** What a summary gives; null is NA, and a complex number is two values. */
export interface NativeSummary {
  type: number
  values: (number | string | null)[]
  warnings: number
}

/** Functions that compute. */
export interface NativeCompute {
  /** A control for one piece of work off the event loop. */
  control(): Control
  controlStop(control: Control): void
  controlRead(control: Control): Progress | null

  /** baseline, avx2, avx512 or neon. */
  instructionSet(): string
  /** Physical cores. */
  defaultThreads(): number

  /** Names of what `operate` can do; the place of one is its code. */
  operations(): string[]
  /** Operands as records of operands.ts. [facts] Warnings. */
  operate(handle: number, code: number, operands: Float64Array, threads: number): number
  /** Writes over the first operand. Warnings. */
  operateInPlace(handle: number, code: number, operands: Float64Array, threads: number): number
  /** [facts] A margin, by its code; R's warnings as bits. */
  margin(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    dims: number,
    threads: number,
  ): number
  /** [facts] A product of one or two operands, by its code; `memory`: bytes (0: all), threshold, tile. */
  product(handle: number, code: number, operands: Float64Array, memory: Float64Array, threads: number): number
  marginAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    dims: number,
    threads: number,
    control: Control,
  ): Promise<NativeMade>
  productAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    memory: Float64Array,
    threads: number,
    control: Control,
  ): Promise<NativeMade>
  /** The kernel that multiplies, after choosing another unless `name` is null. */
  matmulBackend(name: string | null): string
  matmulBackends(): string[]

  /** Names of what `summarise` can do; the place of one is its code. */
  summaries(): string[]
  summarise(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    threads: number,
  ): NativeSummary
  summariseAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    remove: boolean,
    threads: number,
    control: Control,
  ): Promise<NativeSummary>

  /** Type code and length of an operation's result, from those of its operands. */
  expressionGives(code: number, x: number, n: number, y: number, m: number): number[]
  /** The elements of an expression of steps as a new object, in the mailbox. Warnings. */
  evaluate(handle: number, list: Int32Array, operands: Float64Array, threads: number): number
  evaluateAsync(
    handle: number,
    list: Int32Array,
    operands: Float64Array,
    threads: number,
    control: Control,
  ): Promise<NativeMade>
  /** A summary of an expression's elements. */
  digest(
    handle: number,
    list: Int32Array,
    operands: Float64Array,
    code: number,
    remove: boolean,
    threads: number,
  ): NativeSummary
  digestAsync(
    handle: number,
    list: Int32Array,
    operands: Float64Array,
    code: number,
    remove: boolean,
    threads: number,
    control: Control,
  ): Promise<NativeSummary>

  /** Names of what `order` can do; the place of one is its code. */
  orderings(): string[]
  /** [facts] */
  order(handle: number, code: number, operands: Float64Array, threads: number): void
  orderAsync(
    handle: number,
    code: number,
    operands: Float64Array,
    threads: number,
    control: Control,
  ): Promise<NativeMade>
}
