/**
 * Lazy expressions: types in full, nothing that runs. They come later.
 */
import type {
  Arith,
  AsyncOptions,
  Float,
  NaRm,
  Operand,
  ResultOptions,
  Total,
  Type,
  TypeOf,
} from './types.js'
import type { Vector } from './vector.js'

/** Built by `x.lazy()`; nothing runs before evaluate or a summary. */
export interface Expr<T extends Type = Type> {
  readonly exprType: T
  add<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  sub<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  mul<Y extends Operand>(y: Y): Expr<Arith<T, TypeOf<Y>>>
  div<Y extends Operand>(y: Y): Expr<Float<T, TypeOf<Y>>>
  pow<Y extends Operand>(y: Y): Expr<Float<T, TypeOf<Y>>>
  apply(fn: 'sqrt' | 'exp' | 'log' | 'abs' | 'sin' | 'cos' | 'tanh'): Expr<Float<T>>
  eq(y: Operand): Expr<'logical'>
  lt(y: Operand): Expr<'logical'>
  gt(y: Operand): Expr<'logical'>
  and(y: Operand): Expr<'logical'>
  or(y: Operand): Expr<'logical'>
  not(): Expr<'logical'>
  evaluate(o?: ResultOptions): Vector<T>
  evaluateAsync(o?: ResultOptions & AsyncOptions): Promise<Vector<T>>
  sum(o?: NaRm): Total<T>
  sumAsync(o?: NaRm & AsyncOptions): Promise<Total<T>>
}
