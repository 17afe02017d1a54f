// What the declarations promise, checked by tsc as a user's compiler would: nothing here runs.
import {
  add,
  cApi,
  captureWarnings,
  createFmallocVector,
  createMmapVector,
  div,
  eq,
  FmallocError,
  fmallocOptions,
  int,
  isFmallocError,
  isFmallocRuntime,
  isFmallocVector,
  openFmalloc,
  openRef,
  rowSums,
  serializeFmalloc,
  Store,
  sum,
  unserializeFmalloc,
  Vector,
} from 'rfmalloc'
import type {
  AllocationRecord,
  CApi,
  Complex,
  DataFrame,
  Expr,
  FmallocErrorCode,
  FmallocWarning,
  List,
  Matrix,
  NdArray,
  Scalar,
  Stored,
  Type,
  VectorRef,
  ViewOf,
} from 'rfmalloc'
import include from 'rfmalloc/include'
import { is } from './helpers/types.js'

const store = openFmalloc('a.fm', { maxSize: '64 GiB', syncEvery: false })
openFmalloc(new URL('file:///a.fm'), 2, 'scratch')
is<Store>()(store)

// ---- constructors carry the type; aliases are resolved
const age = store.vector('integer', [34, null, 51], { name: 'age' })
const flags = store.vector('logical', [true, null])
const weight = store.vector('double', 10)
const z = store.vector('complex', [{ re: 1, im: 2 }, null])
const bytes = store.vector('raw', new Uint8Array(3))
is<Vector<'integer'>>()(age)
is<Vector<'logical'>>()(flags)
is<Vector<'numeric'>>()(weight)
is<Vector<'complex'>>()(z)
is<Vector<'raw'>>()(bytes)
store.vector('integer', new Set([1, null]))
store.vector('numeric', age)
is<Vector<'numeric'>>()(store.from([1, null]))
is<Vector<'logical'>>()(store.from([true, null]))
is<Vector<'logical'>>()(store.from([null]))
is<Vector<'complex'>>()(store.from([{ re: 1, im: 0 }]))
is<Vector<'integer'>>()(store.from(new Int32Array(1)))
is<Vector<'raw'>>()(store.from(new Uint8Array(1)))
is<Vector<'numeric'>>()(store.from(new Float64Array(1)))
// @ts-expect-error an unknown type
store.vector('f64', 1)
// @ts-expect-error a list is no vector
store.vector('list', 1)
// @ts-expect-error values of another type
store.vector('integer', new Set(['a']))
// @ts-expect-error undefined is never NA
store.vector('integer', [undefined])
// @ts-expect-error a string is iterable, but no source of values
store.vector('raw', 'abc')
// @ts-expect-error an unknown option
store.vector('integer', 1, { nam: 'x' })

// ---- elements: null is NA, raw has none
is<number | null>()(age.get(0))
is<boolean | null>()(flags.get(0))
is<Complex | null>()(z.get(0))
is<number>()(bytes.get(0))
is<number | null | undefined>()(age.at(-1))
is<Vector<'integer'>>()(age.set(0, null).fill(1).write([1, 2]))
is<(number | null)[]>()(age.toArray())
is<IterableIterator<number | null>>()(age[Symbol.iterator]())
for (const x of flags) is<boolean | null>()(x)
// @ts-expect-error no boolean in an integer vector
age.set(0, true)
// @ts-expect-error raw has no NA
bytes.set(0, null)
// @ts-expect-error elements are not properties
void age[0]
// @ts-expect-error no operators
void (age + 1)
// @ts-expect-error not by new
new Vector()
// @ts-expect-error not by new
new Store()

// ---- views and ranges
is<Int32Array>()(age.view())
is<Int32Array>()(flags.view())
is<Float64Array>()(z.view())
is<Uint8Array>()(bytes.view())
is<ViewOf<'numeric'>>()(weight.toTypedArray())
is<never>()(null as unknown as ViewOf<'character'>)
is<Vector<'integer'>>()(age.subarray(1))
is<Vector<'integer'>>()(age.slice(1, 2, { keep: true }))
is<Vector<'integer'>>()(age.copy({ into: store }))
is<Vector<'numeric'>>()(age.as('real'))
is<Vector<'logical'>>()(age.map(x => x === null, 'logical'))
for (const w of age.windows({ bytes: '1 MiB' })) is<Int32Array>()(w.view())
async function windows() {
  for await (const w of weight.windowsAsync({ bytes: 1024, signal: AbortSignal.timeout(1) }))
    is<Float64Array>()(w.view())
}
is<() => Promise<void>>()(windows)
is<number>()(age.readInto(new Int32Array(2), 1))
// @ts-expect-error not a byte size
age.windows({ bytes: '1 MB' })

// ---- identity
is<'integer'>()(age.type)
is<string | null>()(age.name)
is<Store | null>()(age.store)
is<'committed' | 'temporary' | 'destroyed' | 'closed'>()(age.state)
is<VectorRef<'integer'>>()(age.ref)
// @ts-expect-error read-only
age.length = 3

// ---- references
is<Vector<'integer'>>()(openRef(age.ref))
is<Vector<'numeric'>>()(
  openRef(null as unknown as VectorRef<'numeric', 'vector'>, { readOnly: true, path: 'b.fm' }),
)
is<Matrix<'numeric'>>()(openRef(null as unknown as VectorRef<'numeric', 'matrix'>))
// @ts-expect-error never creates
openRef(age.ref, { create: true })
is<Uint8Array>()(serializeFmalloc(age))
is<Stored>()(unserializeFmalloc(new Uint8Array(8)))

// ---- the store
is<Stored | undefined>()(store.get('age'))
is<Vector<'integer'>>()(store.getVector('age', 'integer'))
is<Vector<Type>>()(store.getVector('age'))
is<IterableIterator<[string, Stored]>>()(store.entries())
is<Promise<void>>()(store.sync())
is<AllocationRecord[]>()(store.allocations())
is<Uint8Array>()(store.allocate(10))
is<number>()(store.tidy(() => 3))
is<Vector<'integer'>>()(store.tidy(() => age.slice()))
is<Matrix<'numeric'>>()(store.matrix('numeric', [2, 3]))
is<NdArray<'raw'>>()(store.array('raw', [1, 2, 3]))
store[Symbol.dispose]()
is<Promise<void>>()(store[Symbol.asyncDispose]())
const stored: Stored = age
const anything: Vector = age
is<Stored>()(stored as Stored)
is<Vector<Type>>()(anything)

// ---- operations: result types as in R
is<Vector<'numeric'>>()(age.add(1))
is<Vector<'integer'>>()(age.add(int(1)))
is<Vector<'integer'>>()(flags.mul(flags))
is<Vector<'complex'>>()(age.add({ re: 0, im: 1 }))
is<Vector<'numeric'>>()(age.div(age))
is<Vector<'logical'>>()(age.eq(34))
is<Vector<'raw'>>()(bytes.and(bytes))
is<Vector<'integer'>>()(age.abs())
is<Vector<'numeric'>>()(age.sqrt())
is<Vector<'integer'>>()(age.cumsum())
is<number | null>()(age.sum({ naRm: true }))
is<Complex | null>()(z.sum())
is<number | null>()(flags.max())
is<Promise<number | null>>()(weight.meanAsync({ signal: AbortSignal.abort() }))
is<Vector<'numeric'>>()(flags.which())
is<Expr<'numeric'>>()(weight.lazy())
is<Vector<'numeric'>>()(add(age, 1))
is<Vector<'numeric'>>()(add(1, age))
is<Vector<'numeric'>>()(div(age, age))
is<Vector<'logical'>>()(eq('a', age))
is<Scalar>()(sum(age, 1, { naRm: true }))
declare const X: Matrix<'numeric'>
is<Matrix<'numeric'>>()(X.add(1))
is<Matrix<'complex'>>()(X.matmul(z))
is<Vector<'numeric'>>()(X.column(0))
is<Vector<'numeric'>>()(rowSums(X))
is<number | null>()(X.get(1, 2))
is<VectorRef<'numeric', 'matrix'>>()(X.ref)
const asVector: Vector<'numeric'> = X
is<Vector<'numeric'>>()(asVector)
// @ts-expect-error no arithmetic on raw
bytes.add(1)
// @ts-expect-error which() is of logicals
age.which()

// ---- frames stay covariant: one with known columns is a frame
declare const df: DataFrame<{ age: 'integer'; score: 'numeric' }>
const frame: DataFrame = df
is<DataFrame>()(frame)
is<Vector<'integer'>>()(df.columns.age)
is<number | null>()(df.row(0).score)
// @ts-expect-error no such column
df.column('nope')

// ---- errors and warnings
is<FmallocErrorCode>()(new FmallocError('ERR_FMALLOC_CLOSED', 'x').code)
declare const caught: unknown
if (isFmallocError(caught, 'ERR_FMALLOC_BUSY')) is<'ERR_FMALLOC_BUSY'>()(caught.code)
// @ts-expect-error no such code
isFmallocError(caught, 'ERR_FMALLOC_NOPE')
is<{ value: number; warnings: FmallocWarning[] }>()(captureWarnings(() => 1))
is<Promise<{ value: number; warnings: FmallocWarning[] }>>()(captureWarnings(async () => 1))
is<number>()(fmallocOptions({ threads: 2 }).threads)

// ---- the R-named layer
is<Vector<'integer'>>()(createFmallocVector(undefined, 3))
is<Vector<'numeric'>>()(createFmallocVector('real', 3, store, false))
is<Vector<'raw'>>()(createFmallocVector('raw', 3, { runtime: null, zeroInitialize: true }))
is<List>()(createFmallocVector('list', 3))
is<Vector<Type>>()(createFmallocVector('int' + 'eger', 3))
is<Vector<'integer'>>()(createMmapVector('a.bin'))
is<Vector<'numeric'>>()(createMmapVector('a.bin', null, { type: 'double', readOnly: true }))
if (isFmallocRuntime(caught)) is<Store>()(caught)
if (isFmallocVector(caught)) is<Vector | List>()(caught)

// ---- the C interface: opaque, so that nothing else is taken for it
is<CApi>()(cApi())
is<string>()(include)
// @ts-expect-error what is no table
is<CApi>()({})
