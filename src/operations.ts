/**
 * The operations of a vector and their free functions: types in full, bodies from the modules that have them. A table says what is
 * missing.
 */
import { elementwise, numericInPlace, type Body } from './elementwise.js'
import { fail, show } from './errors.js'
import { lazy } from './expr.js'
import { freeMargins, margins } from './margins.js'
import { Matrix } from './matrix.js'
import { NdArray } from './ndarray.js'
import { freeProducts, products } from './products.js'
import type {
  Arith,
  AsyncOptions,
  Float,
  FixedType,
  MarginOptions,
  NaRm,
  Num,
  Operand,
  Ord,
  Plain,
  Real,
  ResultOptions,
  Scalar,
  Shape,
  Total,
  Type,
  TypeOf,
  Whole,
} from './types.js'
import { freeSummaries, summaries } from './summaries.js'
import { ordering } from './ordering.js'
import { refusal, refuseMethods } from './unsupported.js'
import { Vector } from './vector.js'

type Add = <S extends Vector<Num>, Y extends Operand>(
  this: S,
  y: Y,
  o?: ResultOptions,
) => Shape<S | Y, Arith<S['type'], TypeOf<Y>>>
type Div = <S extends Vector<Num>, Y extends Operand>(
  this: S,
  y: Y,
  o?: ResultOptions,
) => Shape<S | Y, Float<S['type'], TypeOf<Y>>>
type Compare = <S extends Vector, Y extends Operand>(
  this: S,
  y: Y,
  o?: ResultOptions,
) => Shape<S | Y, 'logical'>
type Logic = <S extends Vector, Y extends Operand>(
  this: S,
  y: Y,
  o?: ResultOptions,
) => Shape<S | Y, S['type'] extends 'raw' ? 'raw' : 'logical'>
type Same = <S extends Vector<Num>>(this: S, o?: ResultOptions) => Shape<S, Arith<S['type']>>
type Math1 = <S extends Vector<Num>>(this: S, o?: ResultOptions) => Shape<S, Float<S['type']>>
type RealMath = <S extends Vector<Real>>(this: S, o?: ResultOptions) => Shape<S, 'numeric'>
type InPlace = <S extends Vector<FixedType>>(this: S, y: Operand) => S
type Abs = <S extends Vector<Num>>(
  this: S,
  o?: ResultOptions,
) => Shape<S, S['type'] extends Whole ? 'integer' : 'numeric'>
type Not = <S extends Vector>(
  this: S,
  o?: ResultOptions,
) => Shape<S, S['type'] extends 'raw' ? 'raw' : 'logical'>
type Test = <S extends Vector>(this: S) => Shape<S, 'logical'>
type Math2 = <S extends Vector<Num>>(
  this: S,
  second?: Operand,
  o?: ResultOptions,
) => Shape<S, Float<S['type']>>
type Running = <S extends Vector<Num>>(this: S, o?: ResultOptions) => Vector<Arith<S['type']>>
type RunningProduct = <S extends Vector<Num>>(this: S, o?: ResultOptions) => Vector<Float<S['type']>>

/** Element-wise operations; results are temporaries unless named or kept. */
export interface Elementwise {
  add: Add
  sub: Add
  mul: Add
  mod: Add
  idiv: Add
  div: Div
  pow: Div
  neg: Same
  abs: Abs
  eq: Compare
  ne: Compare
  lt: Compare
  le: Compare
  gt: Compare
  ge: Compare
  and: Logic
  or: Logic
  xor: Logic
  not: Not
  isNa: Test
  isNaN: Test
  sqrt: Math1
  exp: Math1
  sin: Math1
  cos: Math1
  tan: Math1
  asin: Math1
  acos: Math1
  atan: Math1
  sinh: Math1
  cosh: Math1
  tanh: Math1
  asinh: Math1
  acosh: Math1
  atanh: Math1
  sign: RealMath
  floor: RealMath
  ceiling: RealMath
  trunc: RealMath
  expm1: RealMath
  log1p: RealMath
  log2: Math1
  log10: Math1
  cospi: RealMath
  sinpi: RealMath
  tanpi: RealMath
  gamma: RealMath
  lgamma: RealMath
  digamma: RealMath
  trigamma: RealMath
  atan2: Div
  log: Math2
  round: Math2
  signif: Math2
  cumsum: Running
  cummax: Running
  cummin: Running
  cumprod: RunningProduct
  addInPlace: InPlace
  subInPlace: InPlace
  mulInPlace: InPlace
  divInPlace: InPlace
}

/**
 * Summaries: plain scalars; null is NA, NaN is NaN, and `naRm` leaves both out. `range` is the pair of smallest and largest. The free functions take
 * several operands. Twins reject with `signal.reason` on abort, with CLOSED if the store is closed meanwhile; the vector is BUSY until they settle.
 * Throws TYPE where R has no such summary of the type; warns of empty extrema and of what is made logical.
 */
export interface Summaries<T extends Type> {
  sum(o?: NaRm): Total<T>
  sumAsync(o?: NaRm & AsyncOptions): Promise<Total<T>>
  prod(o?: NaRm): Total<T>
  prodAsync(o?: NaRm & AsyncOptions): Promise<Total<T>>
  mean(o?: NaRm): Total<T>
  meanAsync(o?: NaRm & AsyncOptions): Promise<Total<T>>
  min(o?: NaRm): Ord<T>
  minAsync(o?: NaRm & AsyncOptions): Promise<Ord<T>>
  max(o?: NaRm): Ord<T>
  maxAsync(o?: NaRm & AsyncOptions): Promise<Ord<T>>
  range(o?: NaRm): [Ord<T>, Ord<T>]
  rangeAsync(o?: NaRm & AsyncOptions): Promise<[Ord<T>, Ord<T>]>
  any(o?: NaRm): boolean | null
  all(o?: NaRm): boolean | null
  which(this: Vector<'logical'>, o?: ResultOptions): Vector<'numeric'>
  order(o?: ResultOptions): Vector<'numeric'>
  orderAsync(o?: AsyncOptions & ResultOptions): Promise<Vector<'numeric'>>
  sort(o?: ResultOptions): Vector<T>
  sortAsync(o?: AsyncOptions & ResultOptions): Promise<Vector<T>>
  unique(o?: ResultOptions): Vector<T>
}

/** Methods of a vector that this version lacks, by what is missing. */
const LACKING: Readonly<Record<string, readonly string[]>> = {
  Arrow: ['toArrow'],
}

// ---- free functions: the method's signature with the receiver first; at least one operand a Vector

type OtherOperand = Exclude<Operand, Vector>
/** `add(x, y)` and its kind. */
export interface FreeArith {
  <X extends Vector<Num>, Y extends Operand>(
    x: X,
    y: Y,
    o?: ResultOptions,
  ): Shape<X | Y, Arith<X['type'], TypeOf<Y>>>
  <X extends OtherOperand, Y extends Vector<Num>>(
    x: X,
    y: Y,
    o?: ResultOptions,
  ): Shape<Y, Arith<TypeOf<X>, Y['type']>>
}
/** `div(x, y)` and its kind. */
export interface FreeFloat {
  <X extends Vector<Num>, Y extends Operand>(
    x: X,
    y: Y,
    o?: ResultOptions,
  ): Shape<X | Y, Float<X['type'], TypeOf<Y>>>
  <X extends OtherOperand, Y extends Vector<Num>>(
    x: X,
    y: Y,
    o?: ResultOptions,
  ): Shape<Y, Float<TypeOf<X>, Y['type']>>
}
/** `eq(x, y)` and its kind. */
export interface FreeCompare {
  <X extends Vector, Y extends Operand>(x: X, y: Y, o?: ResultOptions): Shape<X | Y, 'logical'>
  <X extends OtherOperand, Y extends Vector>(x: X, y: Y, o?: ResultOptions): Shape<Y, 'logical'>
}
/** `and(x, y)` and its kind: raw with raw is bitwise. */
export interface FreeLogic {
  <X extends Vector, Y extends Operand>(
    x: X,
    y: Y,
    o?: ResultOptions,
  ): Shape<X | Y, X['type'] extends 'raw' ? 'raw' : 'logical'>
  <X extends OtherOperand, Y extends Vector>(
    x: X,
    y: Y,
    o?: ResultOptions,
  ): Shape<Y, Y['type'] extends 'raw' ? 'raw' : 'logical'>
}
type FreeSame = <X extends Vector<Num>>(x: X, o?: ResultOptions) => Shape<X, Arith<X['type']>>
type FreeMath1 = <X extends Vector<Num>>(x: X, o?: ResultOptions) => Shape<X, Float<X['type']>>
type FreeRealMath = <X extends Vector<Real>>(x: X, o?: ResultOptions) => Shape<X, 'numeric'>
type FreeMath2 = <X extends Vector<Num>>(
  x: X,
  second?: Operand,
  o?: ResultOptions,
) => Shape<X, Float<X['type']>>
type FreeInPlace = <X extends Vector<FixedType>>(x: X, y: Operand) => X
/** Several operands, of which none need be a Vector, and options; the highest type decides, and `[]` counts as nothing. */
export type FreeSummary = (...xs: [...Operand[], Operand | NaRm]) => Scalar
type FreeRange = (...xs: [...Operand[], Operand | NaRm]) => [Scalar, Scalar]
type FreeTest = (...xs: [...Operand[], Operand | NaRm]) => boolean | null
type MatOptions = AsyncOptions & ResultOptions
/** A reduction over rows or columns. */
export type Margin = <T extends Num>(x: NdArray<T>, o?: MarginOptions) => Vector<Float<T>>

interface Operation {
  add: FreeArith
  sub: FreeArith
  mul: FreeArith
  mod: FreeArith
  idiv: FreeArith
  div: FreeFloat
  pow: FreeFloat
  atan2: FreeFloat
  eq: FreeCompare
  ne: FreeCompare
  lt: FreeCompare
  le: FreeCompare
  gt: FreeCompare
  ge: FreeCompare
  and: FreeLogic
  or: FreeLogic
  xor: FreeLogic
  neg: FreeSame
  abs: <X extends Vector<Num>>(
    x: X,
    o?: ResultOptions,
  ) => Shape<X, X['type'] extends Whole ? 'integer' : 'numeric'>
  not: <X extends Vector>(x: X, o?: ResultOptions) => Shape<X, X['type'] extends 'raw' ? 'raw' : 'logical'>
  isNa: <X extends Vector>(x: X) => Shape<X, 'logical'>
  isNaN: <X extends Vector>(x: X) => Shape<X, 'logical'>
  addInPlace: FreeInPlace
  subInPlace: FreeInPlace
  mulInPlace: FreeInPlace
  divInPlace: FreeInPlace
  sqrt: FreeMath1
  exp: FreeMath1
  sin: FreeMath1
  cos: FreeMath1
  tan: FreeMath1
  asin: FreeMath1
  acos: FreeMath1
  atan: FreeMath1
  sinh: FreeMath1
  cosh: FreeMath1
  tanh: FreeMath1
  asinh: FreeMath1
  acosh: FreeMath1
  atanh: FreeMath1
  log2: FreeMath1
  log10: FreeMath1
  sign: FreeRealMath
  floor: FreeRealMath
  ceiling: FreeRealMath
  trunc: FreeRealMath
  expm1: FreeRealMath
  log1p: FreeRealMath
  cospi: FreeRealMath
  sinpi: FreeRealMath
  tanpi: FreeRealMath
  gamma: FreeRealMath
  lgamma: FreeRealMath
  digamma: FreeRealMath
  trigamma: FreeRealMath
  log: FreeMath2
  round: FreeMath2
  signif: FreeMath2
  cumsum: <X extends Vector<Num>>(x: X, o?: ResultOptions) => Vector<Arith<X['type']>>
  cummax: Operation['cumsum']
  cummin: Operation['cumsum']
  cumprod: <X extends Vector<Num>>(x: X, o?: ResultOptions) => Vector<Float<X['type']>>
  sum: FreeSummary
  prod: FreeSummary
  mean: <T extends Type>(x: Vector<T>, o?: NaRm) => Total<T>
  min: FreeSummary
  max: FreeSummary
  range: FreeRange
  any: FreeTest
  all: FreeTest
  which: (x: Vector<'logical'>, o?: ResultOptions) => Vector<'numeric'>
  order: (x: Vector, o?: ResultOptions) => Vector<'numeric'>
  sort: <T extends Type>(x: Vector<T>, o?: ResultOptions) => Vector<T>
  unique: <T extends Type>(x: Vector<T>, o?: ResultOptions) => Vector<T>
  matmul: <A extends Vector<Num>, B extends Vector<Num>>(
    a: A,
    b: B,
    o?: MatOptions,
  ) => Matrix<Float<A['type'], B['type']>>
  crossprod: {
    <A extends Vector<Num>>(a: A, o?: MatOptions): Matrix<Float<A['type']>>
    <A extends Vector<Num>, B extends Vector<Num>>(
      a: A,
      b: B,
      o?: MatOptions,
    ): Matrix<Float<A['type'], B['type']>>
  }
  tcrossprod: Operation['crossprod']
  transpose: <T extends Type>(x: Matrix<T>, o?: ResultOptions) => Matrix<T>
  rowSums: Margin
  colSums: Margin
  rowMeans: Margin
  colMeans: Margin
  fmallocRowVars: Margin
  fmallocColVars: Margin
  fmallocMatmulOoc: (a: Matrix<'numeric'>, x: Matrix<Num> | Plain, tileMb?: number) => Matrix<'numeric'>
  fmallocCrossprodOoc: (
    a: Matrix<'numeric'>,
    x?: Matrix<Num> | Plain | null,
    tileMb?: number,
  ) => Matrix<'numeric'>
  fmallocTcrossprodOoc: Operation['fmallocCrossprodOoc']
  fmallocAdd: <V extends Vector<'numeric'>>(x: V, y: Operand) => V
  fmallocSub: Operation['fmallocAdd']
  fmallocMul: Operation['fmallocAdd']
  fmallocDiv: Operation['fmallocAdd']
}

/** Bodies of what there is, receiver first. */
const BODIES: Readonly<Record<string, Body>> = { ...elementwise, ...summaries, ...ordering }

function freeFunctions(): Operation {
  const functions: Record<string, unknown> = {
    ...BODIES,
    ...numericInPlace,
    ...freeSummaries,
    ...margins,
    ...freeMargins,
    ...products,
    ...freeProducts,
  }
  for (const [missing, names] of Object.entries(LACKING)) {
    for (const name of names) functions[name] = refusal(name, missing)
  }
  return functions as unknown as Operation
}

/** The methods are the same functions, their receiver in front. */
function addMethods(target: object, bodies: Readonly<Record<string, Body>>): void {
  for (const [name, body] of Object.entries(bodies)) {
    const method = {
      [name](this: unknown, ...rest: unknown[]): unknown {
        return (body as (...args: unknown[]) => unknown)(this, ...rest)
      },
    }[name]
    Object.defineProperty(target, name, { value: method, writable: true, configurable: true })
  }
}

addMethods(Vector.prototype, { ...BODIES, lazy })
addMethods(NdArray.prototype, margins)
addMethods(Matrix.prototype, products)
refuseMethods(Vector.prototype, 'Vector', LACKING)

const free = freeFunctions()

export const {
  add,
  sub,
  mul,
  mod,
  idiv,
  div,
  pow,
  neg,
  abs,
  addInPlace,
  subInPlace,
  mulInPlace,
  divInPlace,
}: Operation = free
export const { eq, ne, lt, le, gt, ge, and, or, xor, not, isNa, isNaN }: Operation = free
export const {
  sqrt,
  exp,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
}: Operation = free
export const { sign, floor, ceiling, trunc, expm1, log1p, log2, log10, cospi, sinpi, tanpi }: Operation = free
export const { gamma, lgamma, digamma, trigamma, atan2, log, round, signif }: Operation = free
export const { cumsum, cummax, cummin, cumprod }: Operation = free
export const { sum, prod, mean, min, max, range, any, all, which, order, sort, unique }: Operation = free
export const { matmul, crossprod, tcrossprod, rowSums, colSums, rowMeans, colMeans }: Operation = free
export const {
  fmallocRowVars,
  fmallocColVars,
  fmallocMatmulOoc,
  fmallocCrossprodOoc,
  fmallocTcrossprodOoc,
}: Operation = free
export const { fmallocAdd, fmallocSub, fmallocMul, fmallocDiv }: Operation = free

/** R's t(): see {@link Matrix.transpose}. */
export const transpose: Operation['transpose'] = (x, o) =>
  typeof (x as unknown as Partial<Matrix> | null)?.transpose === 'function'
    ? x.transpose(o)
    : fail('ARGUMENT', `transpose: expected a Matrix, not ${show(x)}`)
