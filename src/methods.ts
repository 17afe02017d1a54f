/**
 * The methods that every vector has, as types with their documentation: what goes element by element, and summaries. Types only; the bodies
 * are put on the prototype by operations.ts, which has the free functions.
 */
import type {
  Arith,
  AsyncOptions,
  Float,
  FixedType,
  NaRm,
  Num,
  Operand,
  Ord,
  Real,
  ResultOptions,
  Shape,
  Total,
  Type,
  TypeOf,
  Whole,
} from './types.js'
import type { Vector } from './vector.js'

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
  /** R's `x + y`, element by element. */
  add: Add
  /** R's `x - y`, element by element. */
  sub: Add
  /** R's `x * y`, element by element. */
  mul: Add
  /** R's `x %% y`: the remainder, with the sign of `y`. */
  mod: Add
  /** R's `x %/% y`: the quotient, rounded down. */
  idiv: Add
  /** R's `x / y`. */
  div: Div
  /** R's `x ^ y`. */
  pow: Div
  /** R's `-x`. */
  neg: Same
  /** The absolute value; of a complex number its modulus. */
  abs: Abs
  /** R's `x == y`. */
  eq: Compare
  /** R's `x != y`. */
  ne: Compare
  /** R's `x < y`. */
  lt: Compare
  /** R's `x <= y`. */
  le: Compare
  /** R's `x > y`. */
  gt: Compare
  /** R's `x >= y`. */
  ge: Compare
  /** R's `x & y`, three-valued; of two raw vectors bit by bit. */
  and: Logic
  /** R's `x | y`, three-valued; of two raw vectors bit by bit. */
  or: Logic
  /** R's `xor(x, y)`, three-valued; of two raw vectors bit by bit. */
  xor: Logic
  /** R's `!x`; of a raw vector bit by bit. */
  not: Not
  /** Whether each element is missing: NA or NaN, as R's is.na. */
  isNa: Test
  /** Whether each element is NaN and not NA. */
  isNaN: Test
  /** The square root. */
  sqrt: Math1
  /** e to the power of each element. */
  exp: Math1
  /** The sine, of radians. */
  sin: Math1
  /** The cosine, of radians. */
  cos: Math1
  /** The tangent, of radians. */
  tan: Math1
  /** The arcsine, in radians. */
  asin: Math1
  /** The arccosine, in radians. */
  acos: Math1
  /** The arctangent, in radians. */
  atan: Math1
  /** The hyperbolic sine. */
  sinh: Math1
  /** The hyperbolic cosine. */
  cosh: Math1
  /** The hyperbolic tangent. */
  tanh: Math1
  /** The inverse hyperbolic sine. */
  asinh: Math1
  /** The inverse hyperbolic cosine. */
  acosh: Math1
  /** The inverse hyperbolic tangent. */
  atanh: Math1
  /** -1, 0 or 1. */
  sign: RealMath
  /** Rounded down. */
  floor: RealMath
  /** Rounded up. */
  ceiling: RealMath
  /** Rounded towards zero. */
  trunc: RealMath
  /** `exp(x) - 1`, accurate for small `x`. */
  expm1: RealMath
  /** `log(1 + x)`, accurate for small `x`. */
  log1p: RealMath
  /** The logarithm to base 2. */
  log2: Math1
  /** The logarithm to base 10. */
  log10: Math1
  /** `cos(pi * x)`. */
  cospi: RealMath
  /** `sin(pi * x)`. */
  sinpi: RealMath
  /** `tan(pi * x)`. */
  tanpi: RealMath
  /** The gamma function. */
  gamma: RealMath
  /** The logarithm of the absolute gamma function. */
  lgamma: RealMath
  /** The first derivative of `lgamma`. */
  digamma: RealMath
  /** The second derivative of `lgamma`. */
  trigamma: RealMath
  /** R's `atan2(x, y)`: the angle of the point (y, x), in radians. */
  atan2: Div
  /** The logarithm, natural without a base as second operand. */
  log: Math2
  /** R's round to decimal digits, the second operand (default 0). */
  round: Math2
  /** R's signif: rounded to significant digits, the second operand (default 6). */
  signif: Math2
  /** Running sums. */
  cumsum: Running
  /** Running maxima. */
  cummax: Running
  /** Running minima. */
  cummin: Running
  /** Running products. */
  cumprod: RunningProduct
  /** Adds `y` in place, in the file; the element type stays. Returns the vector. */
  addInPlace: InPlace
  /** Subtracts `y` in place, in the file; the element type stays. Returns the vector. */
  subInPlace: InPlace
  /** Multiplies by `y` in place, in the file; the element type stays. Returns the vector. */
  mulInPlace: InPlace
  /** Divides by `y` in place, in the file; the element type stays. Returns the vector. */
  divInPlace: InPlace
}

/**
 * Summaries: plain scalars; null is NA, NaN is NaN, and `naRm` leaves both out. `range` is the pair of smallest and largest. The free functions take
 * several operands. Twins reject with `signal.reason` on abort, with CLOSED if the store is closed meanwhile; the vector is BUSY until they settle.
 * Throws TYPE where R has no such summary of the type; warns of empty extrema and of what is made logical.
 */
export interface Summaries<T extends Type> {
  /** The sum; NA if an element is. */
  sum(o?: NaRm): Total<T>
  /** As {@link Vector.sum}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  sumAsync(o?: NaRm & AsyncOptions): Promise<Total<T>>
  /** The product. */
  prod(o?: NaRm): Total<T>
  /** As {@link Vector.prod}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  prodAsync(o?: NaRm & AsyncOptions): Promise<Total<T>>
  /** The mean. */
  mean(o?: NaRm): Total<T>
  /** As {@link Vector.mean}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  meanAsync(o?: NaRm & AsyncOptions): Promise<Total<T>>
  /** The smallest element. */
  min(o?: NaRm): Ord<T>
  /** As {@link Vector.min}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  minAsync(o?: NaRm & AsyncOptions): Promise<Ord<T>>
  /** The largest element. */
  max(o?: NaRm): Ord<T>
  /** As {@link Vector.max}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  maxAsync(o?: NaRm & AsyncOptions): Promise<Ord<T>>
  /** The smallest and the largest element. */
  range(o?: NaRm): [Ord<T>, Ord<T>]
  /** As {@link Vector.range}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  rangeAsync(o?: NaRm & AsyncOptions): Promise<[Ord<T>, Ord<T>]>
  /** Whether any element is true; null where nobody knows. */
  any(o?: NaRm): boolean | null
  /** Whether all elements are true; null where nobody knows. */
  all(o?: NaRm): boolean | null
  /** Positions, from 0, of the elements that are true. */
  which(this: Vector<'logical'>, o?: ResultOptions): Vector<'numeric'>
  /** Positions, from 0, in ascending order of the elements; stable, NA last. */
  order(o?: ResultOptions): Vector<'numeric'>
  /** As {@link Vector.order}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  orderAsync(o?: AsyncOptions & ResultOptions): Promise<Vector<'numeric'>>
  /** The elements in ascending order, NA last. */
  sort(o?: ResultOptions): Vector<T>
  /** As {@link Vector.sort}, off the event loop. Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile. */
  sortAsync(o?: AsyncOptions & ResultOptions): Promise<Vector<T>>
  /** Each different element once, in order of first appearance. */
  unique(o?: ResultOptions): Vector<T>
}
