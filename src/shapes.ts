/**
 * Matrices, arrays, frames and lazy expressions: types in full, classes without instances. They come later; the file format
 * has their place. Their constructors refuse, so `x instanceof Matrix` is simply false.
 */
import { fail } from './errors.js'
import type {
  Arith,
  AsyncOptions,
  DataFrameRef,
  Dimnames,
  Float,
  Index,
  MarginOptions,
  NaRm,
  Num,
  Operand,
  Plain,
  ResultOptions,
  Scalar,
  Schema,
  Total,
  Type,
  TypeOf,
  VectorRef,
} from './types.js'
import type { Store } from './store.js'
import { refuseMethods } from './unsupported.js'
import { Vector } from './vector.js'

export type ColumnInput = Vector | Plain
export type SchemaOf<I> = { readonly [K in keyof I & string]: TypeOf<I[K]> }
export type Row<C extends Schema> = { [K in keyof C]: Scalar<C[K]> }
type MatOptions = AsyncOptions & ResultOptions

/** A column-major array of any rank. */
export interface NdArray<T extends Type = Type> {
  readonly dimnames: readonly (Vector<'character'> | null)[] | null
  setDimnames(d: Dimnames | null): this
  cell(at: readonly number[]): Scalar<T>
  setCell(at: readonly number[], value: Scalar<T>): this
  subset(index: readonly (Index | undefined)[], o?: ResultOptions & { drop?: boolean }): Vector<T>
  rowSums(o?: MarginOptions): Vector<Float<T>>
  rowSumsAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
  colSums(o?: MarginOptions): Vector<Float<T>>
  colSumsAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
  rowMeans(o?: MarginOptions): Vector<Float<T>>
  rowMeansAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
  colMeans(o?: MarginOptions): Vector<Float<T>>
  colMeansAsync(o?: MarginOptions & AsyncOptions): Promise<Vector<Float<T>>>
}
export class NdArray<T extends Type = Type> extends Vector<T> {
  override get dim(): readonly number[] {
    return fail('UNSUPPORTED', 'arrays are not there yet')
  }
}

/** A column-major matrix. */
export interface Matrix<T extends Type = Type> {
  readonly nrow: number
  readonly ncol: number
  get(i: number): Scalar<T>
  get(i: number, j: number): Scalar<T>
  set(i: number, value: Scalar<T>): this
  set(index: Index, values: Plain | Vector<T> | Scalar<T>): this
  set(i: number, j: number, value: Scalar<T>): this
  // First, so that a second argument that is undefined means all columns.
  select(rows: Index | undefined, cols: Index | undefined, o?: ResultOptions): Matrix<T>
  select(index: Index, o?: ResultOptions): Vector<T>
  column(j: number | string): Vector<T>
  columns(start: number, end?: number): Matrix<T>
  row(i: number | string): Vector<T>
  transpose(o?: ResultOptions): Matrix<T>
  matmul<B extends Vector<Num> | Plain>(b: B, o?: MatOptions): Matrix<Float<T, TypeOf<B>>>
  matmulAsync<B extends Vector<Num> | Plain>(b: B, o?: MatOptions): Promise<Matrix<Float<T, TypeOf<B>>>>
  crossprod(o?: MatOptions): Matrix<Float<T>>
  crossprod<B extends Vector<Num>>(b: B, o?: MatOptions): Matrix<Float<T, B['type']>>
  crossprodAsync(o?: MatOptions): Promise<Matrix<Float<T>>>
  crossprodAsync<B extends Vector<Num>>(b: B, o?: MatOptions): Promise<Matrix<Float<T, B['type']>>>
  tcrossprod(o?: MatOptions): Matrix<Float<T>>
  tcrossprod<B extends Vector<Num>>(b: B, o?: MatOptions): Matrix<Float<T, B['type']>>
  tcrossprodAsync(o?: MatOptions): Promise<Matrix<Float<T>>>
  tcrossprodAsync<B extends Vector<Num>>(b: B, o?: MatOptions): Promise<Matrix<Float<T, B['type']>>>
}
export class Matrix<T extends Type = Type> extends NdArray<T> {
  override get kind(): 'matrix' {
    return 'matrix'
  }
  override get ref(): VectorRef<T, 'matrix'> {
    return fail('UNSUPPORTED', 'matrices are not there yet')
  }
}

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

const MARGINS = ['rowSums', 'colSums', 'rowMeans', 'colMeans'].flatMap(name => [name, `${name}Async`])
const PRODUCTS = ['matmul', 'crossprod', 'tcrossprod'].flatMap(name => [name, `${name}Async`])

refuseMethods(NdArray.prototype, 'NdArray', {
  arrays: ['setDimnames', 'cell', 'setCell', 'subset'],
  'row and column reductions': MARGINS,
})
refuseMethods(Matrix.prototype, 'Matrix', {
  matrices: ['column', 'columns', 'row', 'transpose'],
  'matrix products': PRODUCTS,
})
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
