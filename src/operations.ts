/**
 * The operations of a vector and their free functions: the functions' types in full (the methods' are in methods.ts), bodies from the modules
 * that have them. A table says what is missing.
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
  /** R's `x + y`, element by element. */
  add,
  /** R's `x - y`, element by element. */
  sub,
  /** R's `x * y`, element by element. */
  mul,
  /** R's `x %% y`: the remainder, with the sign of `y`. */
  mod,
  /** R's `x %/% y`: the quotient, rounded down. */
  idiv,
  /** R's `x / y`. */
  div,
  /** R's `x ^ y`. */
  pow,
  /** R's `-x`. */
  neg,
  /** The absolute value; of a complex number its modulus. */
  abs,
  /** Adds `y` in place, in the file; the element type stays. Returns the vector. */
  addInPlace,
  /** Subtracts `y` in place, in the file; the element type stays. Returns the vector. */
  subInPlace,
  /** Multiplies by `y` in place, in the file; the element type stays. Returns the vector. */
  mulInPlace,
  /** Divides by `y` in place, in the file; the element type stays. Returns the vector. */
  divInPlace,
}: Operation = free
export const {
  /** R's `x == y`. */
  eq,
  /** R's `x != y`. */
  ne,
  /** R's `x < y`. */
  lt,
  /** R's `x <= y`. */
  le,
  /** R's `x > y`. */
  gt,
  /** R's `x >= y`. */
  ge,
  /** R's `x & y`, three-valued; of two raw vectors bit by bit. */
  and,
  /** R's `x | y`, three-valued; of two raw vectors bit by bit. */
  or,
  /** R's `xor(x, y)`, three-valued; of two raw vectors bit by bit. */
  xor,
  /** R's `!x`; of a raw vector bit by bit. */
  not,
  /** Whether each element is missing: NA or NaN, as R's is.na. */
  isNa,
  /** Whether each element is NaN and not NA. */
  isNaN,
}: Operation = free
export const {
  /** The square root. */
  sqrt,
  /** e to the power of each element. */
  exp,
  /** The sine, of radians. */
  sin,
  /** The cosine, of radians. */
  cos,
  /** The tangent, of radians. */
  tan,
  /** The arcsine, in radians. */
  asin,
  /** The arccosine, in radians. */
  acos,
  /** The arctangent, in radians. */
  atan,
  /** The hyperbolic sine. */
  sinh,
  /** The hyperbolic cosine. */
  cosh,
  /** The hyperbolic tangent. */
  tanh,
  /** The inverse hyperbolic sine. */
  asinh,
  /** The inverse hyperbolic cosine. */
  acosh,
  /** The inverse hyperbolic tangent. */
  atanh,
}: Operation = free
export const {
  /** -1, 0 or 1. */
  sign,
  /** Rounded down. */
  floor,
  /** Rounded up. */
  ceiling,
  /** Rounded towards zero. */
  trunc,
  /** `exp(x) - 1`, accurate for small `x`. */
  expm1,
  /** `log(1 + x)`, accurate for small `x`. */
  log1p,
  /** The logarithm to base 2. */
  log2,
  /** The logarithm to base 10. */
  log10,
  /** `cos(pi * x)`. */
  cospi,
  /** `sin(pi * x)`. */
  sinpi,
  /** `tan(pi * x)`. */
  tanpi,
}: Operation = free
export const {
  /** The gamma function. */
  gamma,
  /** The logarithm of the absolute gamma function. */
  lgamma,
  /** The first derivative of `lgamma`. */
  digamma,
  /** The second derivative of `lgamma`. */
  trigamma,
  /** R's `atan2(x, y)`: the angle of the point (y, x), in radians. */
  atan2,
  /** The logarithm, natural without a base as second operand. */
  log,
  /** R's round to decimal digits, the second operand (default 0). */
  round,
  /** R's signif: rounded to significant digits, the second operand (default 6). */
  signif,
}: Operation = free
export const {
  /** Running sums. */
  cumsum,
  /** Running maxima. */
  cummax,
  /** Running minima. */
  cummin,
  /** Running products. */
  cumprod,
}: Operation = free
export const {
  /** The sum; NA if an element is. */
  sum,
  /** The product. */
  prod,
  /** The mean. */
  mean,
  /** The smallest element. */
  min,
  /** The largest element. */
  max,
  /** The smallest and the largest element. */
  range,
  /** Whether any element is true; null where nobody knows. */
  any,
  /** Whether all elements are true; null where nobody knows. */
  all,
  /** Positions, from 0, of the elements that are true. */
  which,
  /** Positions, from 0, in ascending order of the elements; stable, NA last. */
  order,
  /** The elements in ascending order, NA last. */
  sort,
  /** Each different element once, in order of first appearance. */
  unique,
}: Operation = free
export const {
  /** R's `a %*% b`; out of core with `memory`. Throws NON_CONFORMABLE, TYPE. */
  matmul,
  /** R's `crossprod`: `t(a) %*% b`, of `a` itself without `b`. */
  crossprod,
  /** R's `tcrossprod`: `a %*% t(b)`, of `a` itself without `b`. */
  tcrossprod,
  /** Sums of rows: the first `dims` dimensions are kept. */
  rowSums,
  /** Sums of columns: over the first `dims` dimensions. */
  colSums,
  /** Means of rows: the first `dims` dimensions are kept. */
  rowMeans,
  /** Means of columns: over the first `dims` dimensions. */
  colMeans,
}: Operation = free
export const {
  /** Sample variances of rows. */
  fmallocRowVars,
  /** Sample variances of columns. */
  fmallocColVars,
  /** `a %*% x` out of core, in tiles of `tileMb` MiB (default 256). */
  fmallocMatmulOoc,
  /** `t(a) %*% x` out of core, in tiles of `tileMb` MiB (default 256). */
  fmallocCrossprodOoc,
  /** `a %*% t(x)` out of core, in tiles of `tileMb` MiB (default 256). */
  fmallocTcrossprodOoc,
}: Operation = free
export const {
  /** Adds `y` to a numeric vector in place; returns it. */
  fmallocAdd,
  /** Subtracts `y` from a numeric vector in place; returns it. */
  fmallocSub,
  /** Multiplies a numeric vector by `y` in place; returns it. */
  fmallocMul,
  /** Divides a numeric vector by `y` in place; returns it. */
  fmallocDiv,
}: Operation = free

/** R's t(): see {@link Matrix.transpose}. */
export const transpose: Operation['transpose'] = (x, o) =>
  typeof (x as unknown as Partial<Matrix> | null)?.transpose === 'function'
    ? x.transpose(o)
    : fail('ARGUMENT', `transpose: expected a Matrix, not ${show(x)}`)
