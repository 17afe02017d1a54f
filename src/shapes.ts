/**
 * Frames and lazy expressions: types in full, a class without instances. They come later; the file format has their place. The constructor
 * refuses, so `x instanceof DataFrame` is simply false.
 */
import { fail } from './errors.js'
import type {
  Arith,
  AsyncOptions,
  DataFrameRef,
  Float,
  Index,
  NaRm,
  Operand,
  Plain,
  ResultOptions,
  Scalar,
  Schema,
  Total,
  Type,
  TypeOf,
} from './types.js'
import type { Store } from './store.js'
import { refuseMethods } from './unsupported.js'
import type { Vector } from './vector.js'

export type ColumnInput = Vector | Plain
export type SchemaOf<I> = { readonly [K in keyof I & string]: TypeOf<I[K]> }
export type Row<C extends Schema> = { [K in keyof C]: Scalar<C[K]> }
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

/** Columns of equal length. No `.length`: R counts columns, JavaScript would count rows. */
export interface DataFrame<out C extends Schema = Schema> extends Iterable<Row<C>> {
  readonly kind: 'dataFrame'
  readonly nrow: number
  readonly ncol: number
  readonly name: string | null
  readonly store: Store
  readonly ref: DataFrameRef<C>
  readonly columnNames: readonly string[]
  readonly columns: { readonly [K in keyof C]: Vector<C[K]> }
  readonly rowNames: Vector<'character'> | null
  column<K extends keyof C & string>(name: K): Vector<C[K]>
  row(i: number): Row<C>
  pick<K extends keyof C & string>(...names: K[]): DataFrame<{ readonly [P in K]: C[P] }>
  with<I extends Record<string, ColumnInput>>(
    columns: I,
    o?: ResultOptions,
  ): DataFrame<Omit<C, keyof I> & SchemaOf<I>>
  filter(mask: Vector<'logical'> | readonly (boolean | null)[], o?: ResultOptions): DataFrame<C>
  select(rows: Index, o?: ResultOptions): DataFrame<C>
  head(n?: number): Row<C>[]
  [Symbol.iterator](): IterableIterator<Row<C>>
  toArrow(): Promise<unknown>
  toJSON(): Row<C>[]
  keep(name?: string): this
  destroy(o?: { columns?: boolean }): boolean
}
export class DataFrame<out C extends Schema = Schema> {
  readonly #brand = 'data frame'
  private constructor() {
    fail('UNSUPPORTED', `${this.#brand}s are not there yet`)
  }
}

refuseMethods(DataFrame.prototype, 'DataFrame', {
  'data frames': [
    'column',
    'row',
    'pick',
    'with',
    'filter',
    'select',
    'head',
    'toArrow',
    'toJSON',
    'keep',
    'destroy',
  ],
})
