// Matrices, arrays, lists, frames, subscripts and lazy expressions as the declarations promise them; the vectors are in 91-types.
import {
  asFmallocArray,
  asFmallocDataFrame,
  asFmallocMatrix,
  colMeans,
  combine,
  createFmallocArray,
  createFmallocDataFrame,
  createFmallocMatrix,
  crossprod,
  DataFrame,
  fmallocAdd,
  fmallocFill,
  fmallocMatmulOoc,
  fmallocSet,
  fmallocStorageAdvise,
  fmallocVectorType,
  int,
  List,
  matmul,
  Matrix,
  NdArray,
  openFmalloc,
  openRef,
  rIndex,
  round,
  Store,
  Vector,
} from 'rfmalloc'
import type {
  Arith,
  Canon,
  Complex,
  DataFrameRef,
  Dimnames,
  Expr,
  Float,
  FmallocErrorKind,
  Index,
  Int,
  ListRef,
  Operand,
  Ref,
  Rise,
  Row,
  RType,
  Scalar,
  SchemaOf,
  Shape,
  StorageType,
  Stored,
  Type,
  TypeOf,
  VectorRef,
  ViewOf,
  WarningCode,
} from 'rfmalloc'
import { is } from './helpers/types.js'

const store = openFmalloc('a.fm')
const age = store.vector('integer', [34, null, 51])
const flags = store.vector('logical', [true, null])
const weight = store.vector('numeric', 10)
const z = store.vector('complex', 2)
const text = store.vector('character', ['a', null])
const none = null as unknown

// ---- the calculus of types
is<'numeric'>()(none as Canon<'double'>)
is<'numeric'>()(none as Canon<'real'>)
is<'float32'>()(none as Canon<'float32'>)
is<Type>()(none as Canon<'list'>)
is<Type>()(none as RType | StorageType)
is<'integer'>()(none as TypeOf<Int>)
is<'logical'>()(none as TypeOf<null[]>)
is<'numeric'>()(none as TypeOf<(number | null)[]>)
is<'character'>()(none as TypeOf<readonly string[]>)
is<'int64'>()(none as TypeOf<bigint[]>)
is<'raw'>()(none as TypeOf<Uint8Array>)
is<'numeric'>()(none as TypeOf<Uint32Array>)
is<'complex'>()(none as TypeOf<Expr<'complex'>>)
is<'integer'>()(none as Arith<'logical', 'logical'>)
is<'numeric'>()(none as Arith<'integer', 'numeric'>)
is<'complex'>()(none as Arith<'integer', 'complex'>)
is<'integer'>()(none as Arith<'logical'>)
is<'numeric'>()(none as Float<'integer', 'integer'>)
is<'complex'>()(none as Float<'complex'>)
is<'character'>()(none as Rise<'integer', 'character'>)
is<'complex'>()(none as Rise<'numeric', 'complex'>)
is<'numeric'>()(none as Rise<'integer', 'numeric'>)
is<'integer'>()(none as Rise<'logical', 'integer'>)
is<'logical'>()(none as Rise<'logical', 'logical'>)
is<'raw'>()(none as Rise<'raw', 'raw'>)
is<Matrix<'logical'>>()(none as Shape<Matrix<'numeric'> | number, 'logical'>)
is<NdArray<'logical'>>()(none as Shape<NdArray<'numeric'> | Vector<'numeric'>, 'logical'>)
is<Vector<'logical'>>()(none as Shape<Vector<'numeric'> | number, 'logical'>)
is<number | null>()(none as Scalar<'float32'>)
is<bigint | null>()(none as Scalar<'int64'>)
is<BigInt64Array>()(none as ViewOf<'int64'>)

// ---- strings
is<Vector<'character'>>()(text)
is<Vector<'character'>>()(store.from(['a', null]))
is<string | null>()(text.get(0))
is<Vector<'logical'>>()(text.eq('a'))
is<Vector<'logical'>>()(text.isNa())
// @ts-expect-error no arithmetic on text
text.add(1)
// @ts-expect-error text has no view of fixed width
text.windows()

// ---- subscripts
is<Vector<'integer'>>()(age.select([0, null]))
age.select([true, false, null])
age.select(['a', null])
age.select('a')
age.select(new Uint32Array(2))
age.select(flags)
age.select(text)
age.select(rIndex([-1, 0]))
age.exclude([0])
is<Vector<'integer'>>()(age.select(rIndex(1), { name: 'first' }))
is<Vector<'numeric'>>()(age.replace([0], 1.5))
is<Vector<'integer'>>()(age.replace([0], int(1)))
is<Vector<'character'>>()(age.replace([true, false], 'x'))
is<Vector<'complex'>>()(age.replace(0, { re: 1, im: 0 }))
is<Vector<'integer'>>()(flags.replace([5], age))
is<Vector<'integer'>>()(age.set([0, 1], [1, 2]).set(flags, 3))
is<Vector<'integer'>>()(fmallocSet(age, [0], 1))
is<Vector<'integer'>>()(fmallocFill(age, null))
const index: Index = rIndex(Float64Array.of(1, 2))
is<Vector<'integer'>>()(age.select(index))
// @ts-expect-error a complex vector is no subscript
age.select(z)
// @ts-expect-error nor is a complex number
age.select([{ re: 1, im: 0 }])

// ---- shapes
const X = store.matrix('numeric', [2, 3], { dimnames: [['a', 'b'], null] })
const A = store.array('integer', [2, 3, 4], { values: new Int32Array(24) })
is<Matrix<'numeric'>>()(X)
is<NdArray<'integer'>>()(A)
is<Matrix<'integer'>>()(age.reshape([3, 1]))
is<NdArray<'integer'>>()(age.reshape([3, 1, 1] as const))
is<'matrix'>()(X.kind)
is<number>()(X.nrow)
is<readonly number[]>()(A.dim)
is<readonly number[] | null>()(age.dim)
is<readonly (Vector<'character'> | null)[] | null>()(X.dimnames)
is<Vector<'character'> | null>()(age.names)
is<Vector<'integer'>>()(age.setNames(['x', null, 'z']))
is<Matrix<'numeric'>>()(X.setDimnames(null))
const dimnames: Dimnames = [['a', 'b'], null, text]
is<NdArray<'integer'>>()(A.setDimnames(dimnames))
is<number | null>()(A.cell([0, 1, 2]))
is<NdArray<'integer'>>()(A.setCell([0, 1, 2], null))
is<number | null>()(X.get(5))
is<Matrix<'numeric'>>()(X.set(0, 1, 2.5))
is<Vector<'numeric'>>()(X.select([0, 1]))
is<Matrix<'numeric'>>()(X.select([0], undefined))
is<number | null>()(X.get('a', rIndex(1)))
is<number | null>()(age.get('a'))
is<number | null>()(age.get(rIndex(1)))
age.select(rIndex(X))
age.set(rIndex(age), [1])
is<Vector<'character'>>()(X.replaceAt([['a'], undefined], 'x'))
// @ts-expect-error A subscript of R is a number.
rIndex(text)
is<Matrix<'numeric'>>()(X.select(undefined, ['a'], { keep: true }))
is<Vector<'integer'>>()(A.subset([0, undefined, rIndex(-1)], { drop: false }))
is<Vector<'numeric'>>()(X.column('a'))
is<Matrix<'numeric'>>()(X.columns(0, 2))
is<Vector<'numeric'>>()(X.row(0))
is<Matrix<'numeric'>>()(X.transpose())
is<Matrix<'numeric'>>()(X.copy())
is<unknown>()(age.getAttribute('unit'))
is<Vector<'integer'>>()(age.setAttribute('unit', { years: true }))
// @ts-expect-error a plain vector has no rows
void age.nrow
// @ts-expect-error nor row sums
age.rowSums()

// ---- operations keep the shape
is<Matrix<'numeric'>>()(X.mul(age))
is<Matrix<'numeric'>>()(weight.add(X))
is<Matrix<'logical'>>()(X.gt(0))
is<NdArray<'numeric'>>()(A.sqrt())
is<NdArray<'integer'>>()(A.abs())
is<Vector<'integer'>>()(A.cumsum())
is<Matrix<'numeric'>>()(round(X, 2))
is<Vector<'numeric'>>()(A.rowSums({ naRm: true, dims: 2 }))
is<Promise<Vector<'numeric'>>>()(X.colMeansAsync({ memory: '1 GiB' }))
is<Vector<'numeric'>>()(colMeans(X))
is<Matrix<'numeric'>>()(X.matmul([1, 2, 3]))
is<Promise<Matrix<'numeric'>>>()(X.matmulAsync(X, { onProgress: p => p.done / p.total }))
is<Matrix<'numeric'>>()(X.crossprod())
is<Matrix<'complex'>>()(X.crossprod(z))
is<Matrix<'numeric'>>()(crossprod(X))
is<Matrix<'numeric'>>()(matmul(age, weight))
is<Matrix<'numeric'>>()(X.tcrossprod({ name: 'gram' }))
is<Matrix<'numeric'>>()(fmallocMatmulOoc(X, X, 64))
is<Vector<'numeric'>>()(fmallocAdd(weight, 1))
is<Vector>()(combine(age, 1, 'a', [null], X))
// @ts-expect-error in place only where the type stays
fmallocAdd(age, 1)
const operands: Operand[] = [age, 1, 'a', null, true, 1n, int(1), { re: 0, im: 1 }, [1], new Float64Array(1)]
is<Vector>()(combine(...operands))

// ---- lazy expressions
const e = weight.lazy().mul(2).add(age.lazy())
is<Expr<'numeric'>>()(e)
is<'numeric'>()(e.exprType)
is<Expr<'logical'>>()(e.gt(1).and(flags))
is<Expr<'complex'>>()(e.div(z))
is<Vector<'numeric'>>()(e.apply('sqrt').evaluate())
is<Promise<Vector<'numeric'>>>()(e.evaluateAsync({ name: 'r' }))
is<number | null>()(e.sum({ naRm: true }))
is<Expr<'integer'>>()(age.lazy().apply('abs'))
is<Expr<'numeric'>>()(age.lazy().apply('exp').mod(2).round(1).log(10))
is<Expr<'logical'>>()(e.isNa().xor(flags).not())
is<Vector<'numeric'>>()(weight.add(e))
is<Promise<number | null>>()(e.meanAsync({ naRm: true }))
is<boolean | null>()(e.lt(z).any())
// @ts-expect-error no such function
e.apply('cumsum')

// ---- lists
const list = store.list({ age, X, nothing: null })
is<List>()(list)
is<'list'>()(list.type)
is<Stored | null>()(list.get('age'))
is<Stored | null | undefined>()(list.at(-1))
is<List>()(list.set(0, list).keep('l', { replace: true }))
is<'committed' | 'temporary' | 'destroyed' | 'closed'>()(list.state)
is<Vector<'character'> | null>()(list.names)
is<List>()(store.list([age, null], { names: ['a', null] }))
for (const item of list) is<Stored | null>()(item)
// @ts-expect-error lists hold stored objects
list.set(0, [1, 2])
// @ts-expect-error not by new
new List()

// ---- frames
const df = store.dataFrame(
  { age, score: [1.5, NaN, 2], who: ['a', null, 'c'], at: new Int32Array(3) },
  { name: 'df' },
)
type People = {
  readonly age: 'integer'
  readonly score: 'numeric'
  readonly who: 'character'
  readonly at: 'integer'
}
is<DataFrame<People>>()(df)
is<People>()(none as SchemaOf<{ age: typeof age; score: number[]; who: (string | null)[]; at: Int32Array }>)
is<Vector<'character'>>()(df.column('who'))
const { age: ages, who } = df.columns
is<Vector<'integer'>>()(ages)
is<Vector<'character'>>()(who)
is<string | null>()(df.row(0).who)
is<Row<People>[]>()(df.head(3))
for (const row of df) is<number | null>()(row.score)
is<DataFrame<{ readonly who: 'character' }>>()(df.pick('who'))
is<Vector<'logical'>>()(df.with({ old: flags }).columns.old)
is<Vector<'numeric'>>()(df.with({ age: [1, 2, 3] }).columns.age)
is<DataFrame<People>>()(df.filter(age.gt(40)))
is<DataFrame<People>>()(df.filter([true, null, false]))
is<DataFrame<People>>()(df.select([0, 1], { name: 'first' }))
is<readonly string[]>()(df.columnNames)
is<'dataFrame'>()(df.kind)
is<DataFrame<People>>()(df.keep('df', { replace: true }))
is<boolean>()(df.destroy({ columns: true }))
is<DataFrame<People>>()(df.select(rIndex(-1)))
// @ts-expect-error columns are not exchanged in place
df.columns.age = age
is<Vector<'character'> | null>()(df.rowNames)
is<DataFrameRef<People>>()(df.ref)
const anyFrame: DataFrame = df
const anyStored: Stored = df
is<Stored>()(anyStored as Stored)
is<DataFrame>()(anyFrame)
// @ts-expect-error a misspelt column
df.column('ag')
// @ts-expect-error rows or columns? nrow and ncol
void df.length
// @ts-expect-error a mask is logical
df.filter(age)

// ---- found again
is<Matrix<'numeric'>>()(store.getMatrix('X', 'numeric'))
is<DataFrame<{ age: 'integer' }>>()(store.getDataFrame('df', { age: 'integer' }))
is<List>()(store.getList('l'))
is<Matrix<'numeric'>>()(openRef(X.ref))
is<DataFrame<People>>()(openRef(df.ref))
is<List>()(openRef(list.ref))
is<Ref>()(none as VectorRef | DataFrameRef | ListRef)
is<Store>()(store.set('renamed', df).set('l', list, { replace: true }))

// ---- the R-named layer
is<Matrix<'integer'>>()(createFmallocMatrix(undefined, 2, 3))
is<Matrix<'numeric'>>()(createFmallocMatrix('double', 2, 3, [null, ['a', 'b', 'c']], store, false))
is<Matrix<'raw'>>()(createFmallocMatrix('raw', 2, 3, { runtime: store, dimnames: [null, null] }))
is<NdArray<'complex'>>()(createFmallocArray('complex', [1, 2, 3]))
is<DataFrame>()(createFmallocDataFrame({ a: [1, 2], b: age }, { checkNames: false, rowNames: ['x', 'y'] }))
is<DataFrame>()(asFmallocDataFrame([age, weight]))
is<Matrix<'integer'>>()(asFmallocMatrix(age, 3))
is<Matrix<'integer'>>()(asFmallocMatrix(age, { ncol: 1, copy: false }))
is<NdArray<'integer'>>()(asFmallocArray(age, [3], null, false))
is<RType | 'list'>()(fmallocVectorType(list))
fmallocStorageAdvise(weight, 'willneed', 0, null)
// @ts-expect-error no such advice
fmallocStorageAdvise(weight, 'random')
// @ts-expect-error frames of factors
createFmallocDataFrame({ a: [1] }, { stringsAsFactors: true })

// ---- categories
const kind: FmallocErrorKind = 'mixed-signs'
const code: WarningCode = 'length1-array-recycle'
is<string>()((kind + code) as string)
const pair: Complex = { re: 0, im: 1 }
// @ts-expect-error immutable
pair.re = 2
