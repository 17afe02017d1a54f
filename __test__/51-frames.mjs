// Data frames: columns are shared and stay what they are, rows fit together, and what does not is refused before anything is made.

import util from 'node:util'
import test from 'ava'
import {
  asFmallocDataFrame,
  cleanupFmalloc,
  createFmallocDataFrame,
  DataFrame,
  fmallocVectorInfo,
  initFmalloc,
  openFmalloc,
  openRef,
  rIndex,
} from '../dist/index.js'
import { start } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'
import { collect } from './helpers/waiting.mjs'

/** Both kinds of store: what a frame does must not depend on whether it has a record. */
function both(title, body) {
  for (const mode of ['persistent', 'scratch'])
    test(`${title} (${mode})`, t => body(t, freshStore(t, { mode })))
}

/** Objects that the store holds, temporaries too. */
function objects(store) {
  const { summary } = store.diagnose()
  return { records: store.mode === 'scratch' ? 0 : summary.recordCount, temporaries: summary.temporaries }
}

const rows = df => df.toJSON().map(row => ({ ...row }))

const people = (store, o) =>
  store.dataFrame(
    {
      age: store.vector('integer', [34, null, 51]),
      score: [1.5, NaN, 2],
      who: ['Ann', null, 'a name of more than twelve bytes'],
      at: Int32Array.of(1, 2, 3),
      ok: [true, false, null],
    },
    o,
  )

both('2.40 columns keep their storage: a frame shares them', (t, store) => {
  const age = store.vector('integer', [34, null, 51], { name: 'age' })
  const df = store.dataFrame({ age, again: age }, { name: 'df' })
  t.is(df.column('age'), age)
  t.is(df.columns.again, age)
  t.is(store.get('age'), df.columns.age)
  df.columns.age.set(1, 40)
  t.is(df.row(1).again, 40)
  t.is(fmallocVectorInfo(age).parentRefs, 2)
  refuses(t, () => age.destroy(), 'BUSY', /2 parent references/)
  refuses(t, () => store.delete('age'), 'BUSY')
})

both(
  '2.43 plain columns become committed columns beside file-backed ones, and text stays text',
  (t, store) => {
    const df = people(store, { name: 'df' })
    t.deepEqual(
      Object.entries(df.columns).map(([name, v]) => [name, v.type, v.state, v.name]),
      [
        ['age', 'integer', 'committed', null],
        ['score', 'numeric', 'committed', null],
        ['who', 'character', 'committed', null],
        ['at', 'integer', 'committed', null],
        ['ok', 'logical', 'committed', null],
      ],
    )
    t.deepEqual(rows(df), [
      { age: 34, score: 1.5, who: 'Ann', at: 1, ok: true },
      { age: null, score: NaN, who: null, at: 2, ok: false },
      { age: 51, score: 2, who: 'a name of more than twelve bytes', at: 3, ok: null },
    ])
  },
)

both('2.42 a shorter column is repeated where its length divides the rows', (t, store) => {
  const two = store.vector('integer', [1, 2])
  const df = store.dataFrame({
    x: [1, 2, 3, 4, 5, 6],
    two,
    three: ['a', null, 'more than twelve bytes'],
    one: ['only this one, and it is long'],
    z: new Uint8Array([7]),
  })
  t.deepEqual(df.column('two').toArray(), [1, 2, 1, 2, 1, 2])
  t.deepEqual(df.column('three').toArray(), [
    'a',
    null,
    'more than twelve bytes',
    'a',
    null,
    'more than twelve bytes',
  ])
  t.deepEqual(df.column('one').toArray(), Array(6).fill('only this one, and it is long'))
  t.deepEqual(df.column('z').toArray(), Array(6).fill(7))
  // The short one itself is left alone, and free.
  t.not(df.column('two'), two)
  t.true(two.destroy())
  t.is(store.dataFrame({ a: [], b: new Float64Array(0) }).nrow, 0)
})

both(
  '2.42 columns that do not divide the rows are refused with the counts, and nothing is made',
  (t, store) => {
    const v = store.vector('integer', [1, 2, 3])
    const before = objects(store)
    for (const [columns, counts] of [
      [{ v, w: [1, 2] }, '3, 2'],
      [{ v, w: [1, 2], x: [1, 2, 3], y: [] }, '3, 2, 0'],
      [{ w: [], v }, '0, 3'],
    ]) {
      const e = refuses(t, () => store.dataFrame(columns), 'LENGTH')
      t.is(e.message, `arguments imply differing number of rows: ${counts}`)
    }
    t.deepEqual(objects(store), before)
    t.is(fmallocVectorInfo(v).parentRefs, 0)
  },
)

both(
  '2.44 rows are numbered, or have names of their own: each once, none missing, as many as rows',
  (t, store) => {
    const compact = people(store)
    t.is(compact.rowNames, null)
    const df = people(store, { rowNames: ['x', 'y', 'a row whose name is long'], name: 'df' })
    t.deepEqual(df.rowNames.toArray(), ['x', 'y', 'a row whose name is long'])
    const before = objects(store)
    const bad = (rowNames, code, message) =>
      refuses(t, () => store.dataFrame({ a: [1, 2] }, { rowNames }), code, message)
    bad(['x', 'x'], 'ARGUMENT', /duplicate row\.names: x/)
    bad(['x', null], 'ARGUMENT', /row names contain missing values/)
    bad(['x'], 'LENGTH', /wrong length/)
    bad(['x', undefined], 'VALUE')
    bad(['x', '\ud800'], 'ENCODING')
    bad(['x', 1], 'VALUE')
    bad('xy', 'ARGUMENT')
    t.deepEqual(objects(store), before)
    t.is(store.dataFrame({}, { rowNames: ['x', 'y'] }).nrow, 2)
  },
)

both('2.45 other row names share the columns: nothing is moved or copied', (t, store) => {
  const df = people(store, { name: 'df' })
  const named = asFmallocDataFrame(df, { rowNames: ['x', 'y', 'z'] })
  t.deepEqual(named.rowNames.toArray(), ['x', 'y', 'z'])
  t.is(df.rowNames, null)
  for (const name of df.columnNames) t.is(named.column(name), df.column(name))
})

both('undefined and other non-values in a column are refused, and nothing is made', (t, store) => {
  const before = objects(store)
  const bad = (column, code) => refuses(t, () => store.dataFrame({ a: [1, 2], b: ['x', null], column }), code)
  bad([1, undefined], 'VALUE')
  // eslint-disable-next-line no-sparse-arrays
  bad([, 1], 'VALUE')
  bad(['x', '\udfff'], 'ENCODING')
  bad([{}, 1], 'VALUE')
  bad(undefined, 'ARGUMENT')
  bad(5, 'ARGUMENT')
  bad('text', 'ARGUMENT')
  bad(new Set([1, 2]), 'ARGUMENT')
  bad(store.list(2), 'ARGUMENT')
  for (const columns of [undefined, null, 3, [[1]], store.vector('integer', 1)])
    refuses(t, () => store.dataFrame(columns), 'ARGUMENT')
  refuses(t, () => store.dataFrame({ a: [1] }, { colour: 1 }), 'ARGUMENT')
  t.is(objects(store).temporaries, before.temporaries)
})

both('a window, a matrix, a list, a frame and what belongs to another store are no columns', (t, store) => {
  const v = store.vector('integer', [1, 2, 3, 4])
  refuses(t, () => store.dataFrame({ a: v.subarray(1) }), 'ARGUMENT', /copy\(\) it first/)
  refuses(t, () => store.dataFrame({ a: store.matrix('integer', [2, 2]) }), 'DIM', /column/)
  refuses(t, () => store.dataFrame({ a: freshStore(t).vector('integer', [1]) }), 'OTHER_STORE', /copy/)
  refuses(t, () => store.dataFrame({ a: store.dataFrame({ a: [1] }) }), 'ARGUMENT')
  const dead = store.vector('integer', [1])
  dead.destroy()
  refuses(t, () => store.dataFrame({ dead }), 'DESTROYED')
})

both('a frame is found by name, kept, renamed and replaced', (t, store) => {
  const df = people(store, { name: 'df' })
  t.is(store.get('df'), df)
  t.is(store.getDataFrame('df'), df)
  t.is(openRef(df.ref), df)
  t.true(df instanceof DataFrame)
  t.deepEqual([df.kind, df.nrow, df.ncol, df.name, df.state], ['dataFrame', 3, 5, 'df', 'committed'])
  t.deepEqual(df.columnNames, ['age', 'score', 'who', 'at', 'ok'])
  t.deepEqual([...store.entries()], [['df', df]])
  refuses(t, () => people(store, { name: 'df' }), 'EXISTS')
  store.set('other', df)
  t.deepEqual([df.name, store.has('df')], ['other', false])
  t.throws(() => df.length.x)
  t.is(df.length, undefined)
  store.vector('integer', 1, { name: 'v' })
  refuses(t, () => store.getDataFrame('v'), 'TYPE')
  refuses(t, () => store.getVector('other'), 'TYPE')
  refuses(t, () => store.getList('other'), 'TYPE')
  refuses(t, () => store.getDataFrame('nobody'), 'NOT_FOUND')
  t.true(store.delete('other'))
  t.is(df.state, 'destroyed')
})

both('a schema is held against the columns', (t, store) => {
  const df = people(store, { name: 'df' })
  t.is(store.getDataFrame('df', { age: 'integer', who: 'character' }), df)
  t.is(store.getDataFrame('df', df.ref.schema), df)
  refuses(t, () => store.getDataFrame('df', { age: 'numeric' }), 'TYPE', /"age".*integer, not numeric/)
  refuses(t, () => store.getDataFrame('df', { size: 'integer' }), 'TYPE', /no column "size"/)
  refuses(t, () => store.getDataFrame('df', { age: 'int' }), 'TYPE')
  refuses(t, () => store.getDataFrame('df', 'age'), 'ARGUMENT')
})

both('columns by name are a frozen object without inherited names', (t, store) => {
  const df = store.dataFrame({ constructor: [1], toString: [2], ['__proto__']: [3], '': [4], 'a b': [5] })
  t.deepEqual(df.columnNames, ['constructor', 'toString', '__proto__', '', 'a b'])
  t.is(Object.getPrototypeOf(df.columns), null)
  t.true(Object.isFrozen(df.columns))
  t.deepEqual(Object.keys(df.columns), df.columnNames)
  const row = df.row(0)
  t.is(Object.getPrototypeOf(row), null)
  t.deepEqual(Object.entries(row), [
    ['constructor', 1],
    ['toString', 2],
    ['__proto__', 3],
    ['', 4],
    ['a b', 5],
  ])
  t.is(store.dataFrame({ a: [1] }).columns.toString, undefined)
  refuses(t, () => df.column('valueOf'), 'OUT_OF_BOUNDS', /undefined columns selected/)
  for (const name of [0, null, undefined]) refuses(t, () => df.column(name), 'OUT_OF_BOUNDS')
})

both('rows: one, the first, all', (t, store) => {
  const df = people(store)
  t.deepEqual({ ...df.row(1) }, { age: null, score: NaN, who: null, at: 2, ok: false })
  t.deepEqual(
    df.head(2).map(row => row.at),
    [1, 2],
  )
  t.is(df.head().length, 3)
  t.is(df.head(0).length, 0)
  t.deepEqual(
    [...df].map(row => row.ok),
    [true, false, null],
  )
  for (const row of df) {
    t.is(row.age, 34)
    break
  }
  for (const i of [3, -1, 1e15]) refuses(t, () => df.row(i), 'OUT_OF_BOUNDS')
  for (const i of [0.5, NaN, '1', null]) refuses(t, () => df.row(i), 'SUBSCRIPT')
  refuses(t, () => df.head(-1), 'ARGUMENT')
  t.is(
    JSON.stringify(store.dataFrame({ a: [1, NaN], b: ['x', null] })),
    '[{"a":1,"b":"x"},{"a":null,"b":null}]',
  )
  refuses(t, () => store.dataFrame({ a: new Float64Array(500_001), b: [1] }).toJSON(), 'TOO_LARGE')
})

both('pick and with share columns and keep them alive', async (t, store) => {
  let df = people(store, { name: 'df', rowNames: ['x', 'y', 'z'] })
  const { age, who } = df.columns
  const pick = df.pick('who', 'age')
  t.is(pick.state, 'temporary')
  t.deepEqual(pick.columnNames, ['who', 'age'])
  t.is(pick.column('age'), age)
  t.deepEqual(pick.rowNames.toArray(), ['x', 'y', 'z'])
  refuses(t, () => df.pick('nobody'), 'OUT_OF_BOUNDS')
  refuses(t, () => df.pick('age', 'age'), 'ARGUMENT', /duplicate/)
  refuses(t, () => df.pick(), 'ARGUMENT')
  const more = df.with({ age: [1, 2, 3], old: [true], copy: who })
  t.deepEqual(more.columnNames, ['age', 'score', 'who', 'at', 'ok', 'old', 'copy'])
  t.deepEqual(more.column('age').toArray(), [1, 2, 3])
  t.is(more.column('copy'), who)
  t.is(more.column('age').state, 'temporary')
  t.deepEqual(age.toArray(), [34, null, 51])
  // The frame goes; what the others share stays.
  t.true(df.destroy())
  df = undefined
  await collect()
  t.deepEqual(who.toArray().length, 3)
  t.deepEqual(pick.row(0).age, 34)
  t.is(more.row(2).who, 'a name of more than twelve bytes')
  more.keep('more')
  await collect()
  t.deepEqual(store.getDataFrame('more').row(2).copy, 'a name of more than twelve bytes')
  t.is(more.column('age').state, 'committed')
})

both('filter copies the rows where the mask is true, and drops those where it is NA', (t, store) => {
  const df = people(store, { name: 'df', rowNames: ['x', 'y', 'z'] })
  const kept = df.filter(df.column('ok'))
  t.deepEqual(rows(kept), [{ age: 34, score: 1.5, who: 'Ann', at: 1, ok: true }])
  t.deepEqual([kept.state, kept.rowNames.toArray()], ['temporary', ['x']])
  const named = df.filter([null, true, true], { name: 'some' })
  t.is(store.getDataFrame('some'), named)
  t.deepEqual(named.columns.who.toArray(), [null, 'a name of more than twelve bytes'])
  t.deepEqual(named.rowNames.toArray(), ['y', 'z'])
  // A copy: the frame stays what it is.
  named.columns.at.set(0, 99)
  t.is(df.row(1).at, 2)
  t.is(df.filter([false, false, null]).nrow, 0)
  t.deepEqual(rows(df.filter([true, true, true])), rows(df))
  const long = store.vector('logical', [false, true, true, true, null])
  t.deepEqual(df.filter(long.subarray(1, 4)).columnNames, df.columnNames)
  t.is(df.filter(long.subarray(2)).nrow, 2)
  for (const mask of [[true], [], [true, false, true, false], store.vector('logical', 2)])
    refuses(t, () => df.filter(mask), 'LENGTH', /the mask has \d values/)
  refuses(t, () => df.filter(df.column('age')), 'TYPE', /logical/)
  refuses(t, () => df.filter([1, 0, 1]), 'VALUE')
  refuses(t, () => df.filter([true, undefined, true]), 'VALUE')
  // eslint-disable-next-line no-sparse-arrays
  refuses(t, () => df.filter([true, , true]), 'VALUE')
  refuses(t, () => df.filter('ok'), 'ARGUMENT')
  refuses(t, () => df.filter([true, true, true], { name: 'some' }), 'EXISTS')
})

both("select is R's df[i, ]: positions, repeated and missing ones, masks and names", (t, store) => {
  const df = people(store, { rowNames: ['x', 'y', 'z'] })
  const at = (index, o) => df.select(index, o).columns.at.toArray()
  const names = index => df.select(index).rowNames.toArray()
  t.deepEqual(at([2, 0]), [3, 1])
  t.deepEqual(at(1), [2])
  t.deepEqual(at('z'), [3])
  t.deepEqual(at([0, null, 0, 9]), [1, null, 1, null])
  t.deepEqual(names([0, null, 0, 9]), ['x', 'NA', 'x.1', 'NA.1'])
  t.deepEqual({ ...df.select([null]).row(0) }, { age: null, score: null, who: null, at: null, ok: null })
  t.deepEqual(at([true, null, false]), [1, null])
  t.deepEqual(at(['y', 'nobody', 'x']), [2, null, 1])
  t.deepEqual(at(Int32Array.of(2, 1)), [3, 2])
  t.deepEqual(at(Float64Array.of(0)), [1])
  t.deepEqual(at(Uint32Array.of(0)), [1])
  t.deepEqual(at(store.vector('integer', [2, 2])), [3, 3])
  t.deepEqual(at(store.vector('numeric', [9, 1, 2]).subarray(1)), [2, 3])
  t.deepEqual(at(df.column('ok')), [1, null])
  t.deepEqual(at(rIndex([-1])), [2, 3])
  t.deepEqual(at(rIndex([3, 0, 1])), [3, 1])
  t.deepEqual(at(rIndex([2, null])), [2, null])
  t.deepEqual(at([]), [])
  t.deepEqual(at(undefined), [1, 2, 3])
  t.is(df.select([0], { name: 'one' }), store.get('one'))
  t.is(people(store).select([2, 2]).rowNames, null)
  refuses(t, () => df.select([-1]), 'SUBSCRIPT')
  refuses(t, () => df.select([0, 'x']), 'SUBSCRIPT', /mixture/)
  refuses(t, () => df.select([0, undefined]), 'VALUE')
  refuses(t, () => df.select([{}]), 'SUBSCRIPT')
  refuses(t, () => df.select({}), 'SUBSCRIPT')
  refuses(t, () => df.select(null), 'SUBSCRIPT')
  refuses(t, () => df.select(store.vector('complex', 1)), 'SUBSCRIPT')
  refuses(t, () => df.select(rIndex([-1, 1])), 'SUBSCRIPT')
})

both('what filter and select make goes with the last hold on it', async (t, store) => {
  const df = store.dataFrame({
    a: new Float64Array(1000),
    b: Array(1000).fill('text of more than twelve bytes'),
  })
  const before = objects(store).temporaries
  for (let k = 0; k < 50; k++) df.select([k])
  store.tidy(() => df.filter(Array(1000).fill(true)).select([1]).nrow)
  const last = df.filter(Array(1000).fill(true))
  t.true(last.destroy())
  t.is(last.state, 'destroyed')
  await collect()
  t.is(objects(store).temporaries, before)
  const kept = df.select([1, 2]).keep('kept')
  await collect()
  t.deepEqual(store.get('kept'), kept)
  t.is(kept.columns.b.state, 'committed')
})

/** A frame all of whose columns were replaced by shorter ones had their rows, and lost its own; with row names it was refused. */
both('with keeps the rows, also where it replaces every column by one value', (t, store) => {
  const df = store.dataFrame({ a: [1, 2, 3] })
  const next = df.with({ a: ['x'] })
  t.is(next.nrow, 3)
  t.deepEqual(next.column('a').toArray(), ['x', 'x', 'x'])
  const named = store.dataFrame({ a: [1, 2] }, { rowNames: ['r', 's'] }).with({ a: [7] })
  t.deepEqual(named.column('a').toArray(), [7, 7])
  t.deepEqual(named.rowNames.toArray(), ['r', 's'])
})

both('with refuses what does not fit the rows', (t, store) => {
  const df = people(store)
  for (const column of [[1, 2], [], [1, 2, 3, 4, 5, 6], store.vector('integer', 2)])
    refuses(t, () => df.with({ column }), 'LENGTH', /replacement has \d rows, data has 3/)
  refuses(t, () => df.with({ column: freshStore(t).vector('integer', 3) }), 'OTHER_STORE')
  refuses(t, () => df.with({ column: [1, undefined, 2] }), 'VALUE')
  refuses(t, () => df.with([[1, 2, 3]]), 'ARGUMENT')
  refuses(t, () => df.with({ column: store.vector('integer', 9).subarray(0, 3) }), 'ARGUMENT')
  t.is(objects(store).temporaries, 0)
})

both('a frame replaced by one made from it keeps what both have', (t, store) => {
  const df = people(store, { name: 'df' })
  const { age, score } = df.columns
  const next = df.with({ score: [9, 8, 7] }, { name: 'df', replace: true })
  t.is(store.get('df'), next)
  t.deepEqual([df.state, age.state, score.state], ['destroyed', 'committed', 'destroyed'])
  t.deepEqual(
    next.head().map(row => [row.age, row.score]),
    [
      [34, 9],
      [null, 8],
      [51, 7],
    ],
  )
})

both('destroy ends the columns that only the frame has, and named ones if that is said', (t, store) => {
  const named = store.vector('integer', [1, 2, 3], { name: 'named' })
  const shared = store.vector('integer', [1, 2, 3])
  const list = store.list([shared])
  const df = store.dataFrame({ named, shared, own: [1, 2, 3] }, { name: 'df' })
  const { own } = df.columns
  t.true(df.destroy())
  t.false(df.destroy())
  t.deepEqual(
    [named, shared, own].map(v => v.state),
    ['committed', 'committed', 'destroyed'],
  )
  const again = store.dataFrame({ named, shared })
  t.true(again.destroy({ columns: true }))
  t.deepEqual(
    [named, shared].map(v => v.state),
    ['destroyed', 'committed'],
  )
  t.deepEqual(list.toJSON(), [[1, 2, 3]])
  refuses(t, () => again.destroy({ columns: 1 }), 'ARGUMENT')
  refuses(t, () => again.row(0), 'DESTROYED', /data frame/)
})

both('a frame in a list is held; it holds lists of columns apart', (t, store) => {
  const df = people(store)
  const list = store.list([df, df.column('age')])
  t.is(list.get(0), df)
  refuses(t, () => df.destroy(), 'BUSY', /1 parent reference /)
  list.set(0, null)
  t.true(df.destroy())
  t.deepEqual(list.get(1).toArray(), [34, null, 51])
  t.is(JSON.stringify(store.list([store.dataFrame({ a: [1] })])), '[[{"a":1}]]')
})

both('tidy keeps a returned frame with its columns, and frees the rest', (t, store) => {
  const df = people(store, { name: 'df' })
  const { at } = df.columns
  let lost
  const kept = store.tidy(() => {
    lost = df.with({ at: [4, 5, 6] })
    return [df.with({ at: at.copy(), more: [1] }).pick('at', 'age')]
  })[0]
  t.is(lost.state, 'destroyed')
  t.deepEqual(
    kept.head().map(row => row.at),
    [1, 2, 3],
  )
  t.deepEqual(at.toArray(), [1, 2, 3])
  t.is(df.state, 'committed')
})

both('a destroyed or closed frame refuses every use and still says what it was', (t, store) => {
  const df = people(store, { name: 'df' })
  store.close()
  t.deepEqual([df.kind, df.nrow, df.ncol, df.state, df.name], ['dataFrame', 3, 5, 'closed', 'df'])
  t.is(df.columnNames.length, 5)
  t.is(df.rowNames, null)
  t.is(df.ref.kind, 'dataFrame')
  for (const act of [
    () => df.row(0),
    () => df.head(),
    () => [...df],
    () => df.columns,
    () => df.column('age'),
    () => df.pick('age'),
    () => df.with({ a: [1] }),
    () => df.toJSON(),
    () => df.keep('x'),
    () => df.filter([true, true, true]),
    () => df.select([0]),
    () => df.destroy(),
  ])
    refuses(t, act, 'CLOSED')
  t.is(util.inspect(df), 'DataFrame "df" [3 × 5] (closed)')
})

test('the console shows a small table with types', t => {
  const store = freshStore(t)
  const df = people(store, { name: 'people' })
  t.is(
    util.inspect(df),
    [
      'DataFrame "people" [3 × 5]  (in store.fm)',
      '       age    score  who                            at       ok',
      '   integer  numeric  character                 integer  logical',
      '0       34      1.5  Ann                             1     true',
      '1       NA      NaN  NA                              2    false',
      '2       51        2  a name of more than twe…        3       NA',
    ].join('\n'),
  )
  const wide = store.dataFrame(
    Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`c${i}`, new Float64Array(10)])),
  )
  const lines = util.inspect(wide).split('\n')
  t.deepEqual(lines.slice(-2), ['… 4 more rows', '… 192 more columns'])
  t.is(lines.length, 1 + 2 + 6 + 2)
  t.is(util.inspect(store.dataFrame({})), 'DataFrame [0 × 0]  (in store.fm)')
  t.regex(util.inspect(store.dataFrame({ a: ['x\ny\u0000'] }, { rowNames: ['r\n'] })), /r·.*x·y·/)
  t.is(`${df}`, 'DataFrame "people" [3 × 5]')
  refuses(t, () => df + 1, 'OPERATOR')
  refuses(t, () => df[0], 'OPERATOR', /row/)
})

test('a frame cannot be cloned or posted by mistake', t => {
  const df = people(freshStore(t))
  let error
  try {
    structuredClone({ deep: [df] })
  } catch (e) {
    error = e
  }
  t.regex(`${error?.name} ${error?.message}`, /^DataCloneError .*df\.ref/)
  t.throws(() => new DataFrame(1))
})

test('a frame of 200 columns comes back in another process, with names, types and rows', async t => {
  const path = freshPath(t)
  const store = openFmalloc(path)
  const columns = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [
      `column number ${i}`,
      i % 2 === 0 ? Float64Array.of(i, i + 0.5) : [`text of column ${i}`, null],
    ]),
  )
  const df = store.dataFrame(columns, { name: 'wide', rowNames: ['first', 'second'] })
  const { ref } = df
  store.close()
  const { code, value } = await start(
    t,
    ({ fm, args }) => {
      const store = fm.openFmalloc(args.path)
      const df = store.getDataFrame('wide', args.ref.schema)
      return {
        same: fm.openRef(args.ref) === df,
        rows: df.toJSON().map(row => Object.entries(row)),
        names: df.rowNames.toArray(),
        faults: store.verify().faults,
      }
    },
    { path, ref },
  ).ended
  t.is(code, 0)
  t.true(value.same)
  t.deepEqual(value.faults, [])
  t.deepEqual(value.names, ['first', 'second'])
  t.deepEqual(
    value.rows,
    [0, 1].map(r => Object.entries(columns).map(([name, column]) => [name, column[r]])),
  )
})

test('a reference leads to the frame in another thread', async t => {
  const store = freshStore(t)
  const df = people(store, { name: 'df' })
  const seen = await thread(t).run(
    ({ fm, args }) => {
      const df = fm.openRef(args.ref)
      df.columns.age.set(1, 40)
      return { row: { ...df.row(1) }, isFrame: df instanceof fm.DataFrame, ref: df.ref }
    },
    { ref: df.ref },
  )
  t.deepEqual(seen, {
    row: { age: 40, score: NaN, who: null, at: 2, ok: false },
    isFrame: true,
    ref: df.ref,
  })
  t.is(df.row(1).age, 40)
})

test('a reference to another frame, or another kind, is refused', t => {
  const store = freshStore(t)
  const df = people(store)
  const { ref } = df
  refuses(t, () => openRef({ ...ref, nrow: 4 }), 'STALE_REF')
  refuses(t, () => openRef({ ...ref, schema: { ...ref.schema, age: 'numeric' } }), 'STALE_REF', /age/)
  refuses(t, () => openRef({ ...ref, schema: { ...ref.schema, more: 'numeric' } }), 'STALE_REF')
  const { age: _, ...fewer } = ref.schema
  refuses(t, () => openRef({ ...ref, schema: fewer }), 'STALE_REF')
  refuses(t, () => openRef({ ...ref, schema: null }), 'ARGUMENT')
  refuses(t, () => openRef({ ...ref, schema: { age: 'int' } }), 'ARGUMENT')
  refuses(t, () => openRef({ ...ref, nrow: -1 }), 'ARGUMENT')
  const v = store.vector('integer', 3)
  refuses(t, () => openRef({ ...ref, id: v.ref.id, generation: v.ref.generation }), 'STALE_REF')
  refuses(t, () => openRef({ ...v.ref, id: ref.id, generation: ref.generation }), 'STALE_REF')
  df.destroy()
  refuses(t, () => openRef(ref), 'STALE_REF')
})

test('a read-only frame is read; what is made of it goes where results go', t => {
  const path = freshPath(t)
  const store = openFmalloc(path)
  people(store, { name: 'df', rowNames: ['x', 'y', 'z'] })
  store.close()
  const reader = open(t, path, { readOnly: true })
  const df = reader.getDataFrame('df')
  t.is(df.row(2).who, 'a name of more than twelve bytes')
  t.deepEqual(df.rowNames.toArray(), ['x', 'y', 'z'])
  for (const act of [() => df.keep('other'), () => df.destroy(), () => reader.dataFrame({ a: [1] })])
    refuses(t, act, 'READ_ONLY')
  const pick = df.pick('who')
  t.not(pick.store, reader)
  t.deepEqual(pick.column('who').toArray(), df.column('who').toArray())
  t.deepEqual(df.filter([false, null, true]).row(0).who, 'a name of more than twelve bytes')
  t.deepEqual(df.select(['z']).rowNames.toArray(), ['z'])
  const into = freshStore(t)
  const more = df.with({ n: [1] }, { into, name: 'copy' })
  t.is(into.getDataFrame('copy'), more)
  t.deepEqual(more.row(0).who, 'Ann')
  t.deepEqual(more.rowNames.toArray(), ['x', 'y', 'z'])
})

test.serial('2.41 the names of columns are made syntactic, and each once', t => {
  t.true(initFmalloc(freshPath(t)))
  t.teardown(() => cleanupFmalloc())
  const df = createFmallocDataFrame({ 'a b': [1, 2], 'a-b': [3, 4], '1x': ['x', 'y'], TRUE: [true], _z: [1] })
  t.deepEqual(df.columnNames, ['a.b', 'a.b.1', 'X1x', 'TRUE.', 'X_z'])
  t.is(df.state, 'committed')
  t.deepEqual(createFmallocDataFrame([[1, 2], df.column('a.b')]).columnNames, ['V1', 'V2'])
  t.is(createFmallocDataFrame([df.column('a.b')]).column('V1'), df.column('a.b'))
  const raw = createFmallocDataFrame({ 'a b': [1, 2] }, { checkNames: false, rowNames: ['x', 'y'] })
  t.deepEqual([raw.columnNames, raw.rowNames.toArray()], [['a b'], ['x', 'y']])
  const other = freshStore(t)
  t.is(createFmallocDataFrame({ a: [1] }, { runtime: other }).store, other)
  refuses(
    t,
    () => createFmallocDataFrame({ a: [1, 2], b: [1, 2, 3] }),
    'LENGTH',
    /differing number of rows: 2, 3/,
  )
  refuses(t, () => createFmallocDataFrame({ a: [1] }, { stringsAsFactors: true }), 'UNSUPPORTED', /factor/)
  refuses(t, () => createFmallocDataFrame({ a: [1] }, { row_names: ['x'] }), 'ARGUMENT')
  refuses(t, () => createFmallocDataFrame('a'), 'ARGUMENT')
  t.is(createFmallocDataFrame({ a: [1] }, { stringsAsFactors: false }).ncol, 1)
})

test.serial('asFmallocDataFrame takes columns, or a frame as it is', t => {
  t.true(initFmalloc(freshPath(t)))
  t.teardown(() => cleanupFmalloc())
  const df = asFmallocDataFrame({ 'a b': [1, 2] })
  t.deepEqual(df.columnNames, ['a.b'])
  t.is(asFmallocDataFrame(df), df)
  const named = asFmallocDataFrame(df, { rowNames: ['x', 'y'] })
  t.not(named, df)
  t.is(named.column('a.b'), df.column('a.b'))
  t.deepEqual(named.rowNames.toArray(), ['x', 'y'])
  const store = df.store
  const spaced = store.dataFrame({ 'a b': [1] })
  t.deepEqual(asFmallocDataFrame(spaced).columnNames, ['a.b'])
  t.is(asFmallocDataFrame(spaced, { checkNames: false }), spaced)
})
