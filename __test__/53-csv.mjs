// CSV files in and out as JavaScript sees them: promises, options, reports, errors with places, aborts that leave nothing. What a file means,
// field by field, is tested in the core.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { openRef } from '../dist/index.js'
import { start } from './helpers/child.mjs'
import { fileWith, freshDirectory, freshStore, open } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'

const csv = (t, text) => fileWith(t, text, 'in.csv')
const plain = rows => rows.map(row => ({ ...row }))

/** Nothing but these names and so many columns is in the store, and no temporary. */
function holdsOnly(t, store, names, columns = 0) {
  t.deepEqual([...store.keys()], names)
  t.deepEqual(store.verify({ payloads: true }), { ok: true, faults: [] })
  const { summary } = store.diagnose()
  t.is(summary.temporaryBytes, 0)
  t.is(summary.unnamedRecords, columns)
}

test('a file becomes a committed frame, and the report says why a column is text', async t => {
  const store = freshStore(t)
  const file = csv(t, 'id,score,what,ok\n1,0.5,plain,TRUE\n2,,"quoted, text",NA\n3,NA,,F\n')
  const { frame, rows, nbytes, columns } = await store.importCsv(file, { name: 'people' })
  t.is(rows, 3)
  t.is(nbytes, fs.statSync(file).size)
  t.is(store.get('people'), frame)
  t.is(frame.state, 'committed')
  t.deepEqual(plain(frame.toJSON()), [
    { id: 1, score: 0.5, what: 'plain', ok: true },
    { id: 2, score: null, what: 'quoted, text', ok: null },
    { id: 3, score: null, what: '', ok: false },
  ])
  t.deepEqual(columns, [
    { name: 'id', type: 'integer', naCount: 0, whyText: null },
    { name: 'score', type: 'numeric', naCount: 2, whyText: null },
    { name: 'what', type: 'character', naCount: 0, whyText: { row: 0, line: 2, text: 'plain' } },
    { name: 'ok', type: 'logical', naCount: 1, whyText: null },
  ])
  t.true(Object.isFrozen(columns) && Object.isFrozen(columns[0]))
})

test('an imported frame is there after reopening, columns and all', async t => {
  const store = freshStore(t)
  const text = ['n,long,late']
  for (let i = 0; i < 20_000; i++)
    text.push(`${i}.25,row ${i} has a text longer than twelve bytes,${i === 19_000 ? 'x' : i}`)
  await store.importCsv(csv(t, text.join('\r\n')), { name: 'df' })
  store.close()
  const again = open(t, store.path)
  const df = again.getDataFrame('df', { n: 'numeric', long: 'character', late: 'character' })
  t.is(df.nrow, 20_000)
  for (const i of [0, 4095, 4096, 18_999, 19_999]) {
    t.deepEqual(
      { ...df.row(i) },
      {
        n: i + 0.25,
        long: `row ${i} has a text longer than twelve bytes`,
        late: String(i),
      },
    )
  }
  t.is(df.row(19_000).late, 'x')
  holdsOnly(t, again, ['df'], 3)
  t.true(df.destroy())
  again.syncNow()
  t.is(again.diagnose().summary.liveBytes, 0, 'nothing is left of the columns')
})

test('every option reaches the reader', async t => {
  const store = freshStore(t)
  const file = csv(t, "skipped\n00123;'a;b';left out;-9\n7;c;;-8\n")
  const { frame, columns } = await store.importCsv(new URL(`file://${file}`), {
    delimiter: ';',
    quote: "'",
    header: false,
    columnNames: ['zip code', 'text', 'gone', 'n'],
    checkNames: true,
    types: { 'zip.code': 'character', gone: null, n: 'double' },
    na: ['-9'],
    skip: 1,
  })
  t.deepEqual(frame.columnNames, ['zip.code', 'text', 'n'])
  t.deepEqual(plain(frame.toJSON()), [
    { 'zip.code': '00123', text: 'a;b', n: null },
    { 'zip.code': '7', text: 'c', n: -8 },
  ])
  t.is(columns[2].type, 'numeric')
  const raw = await store.importCsv(csv(t, 'a,b\n"1,2"\n'), { quote: null })
  t.deepEqual(plain(raw.frame.toJSON()), [{ a: '"1', b: '2"' }])
})

test('an error names row, line and column, and leaves nothing in the store', async t => {
  const store = freshStore(t)
  const cases = [
    ['a,b\n1,2\n3\n', {}, 'LENGTH', { row: 1, line: 3, column: 'b' }],
    ['a,b\n1,2\n3,4,5\n', {}, 'LENGTH', { row: 1, line: 3, column: 'b' }],
    ['a,b\n1,2\nx,4\n', { types: { a: 'integer' } }, 'VALUE', { row: 1, line: 3, column: 'a', text: 'x' }],
    [Buffer.from('a,b\n1,caf\xe9\n', 'latin1'), {}, 'ENCODING', { row: 0, line: 2, column: 'b' }],
    ['a,b\n1,"open\n', {}, 'VALUE', { row: 0, line: 2, column: 'b' }],
    ['', {}, 'VALUE', {}],
  ]
  for (const [text, options, code, details] of cases) {
    const file = csv(t, text)
    const e = await rejects(t, () => store.importCsv(file, { name: 'no', ...options }), code)
    t.deepEqual(e.details, { ...e.details, ...details, path: file })
  }
  await rejects(t, () => store.importCsv('/nowhere/at all.csv'), 'NOT_FOUND')
  await rejects(t, () => store.importCsv(freshDirectory(t)), 'ARGUMENT')
  holdsOnly(t, store, [])
})

test('wrong options and taken names are refused before anything is read', async t => {
  const store = freshStore(t)
  const file = csv(t, 'a\n1\n')
  for (const o of [
    { delimiter: ';;' },
    { delimiter: '"' },
    { delimiter: 'ä' },
    { quote: ',' },
    { header: 1 },
    { types: ['integer'] },
    { types: { a: 'colour' } },
    { types: { b: 'integer' } },
    { na: 'NA' },
    { skip: -1 },
    { columnNames: [1] },
    { sep: ';' },
    { onProgress: 1 },
  ]) {
    await rejects(t, () => store.importCsv(file, o), ['ARGUMENT', 'TYPE'])
  }
  await rejects(t, () => store.importCsv(file, { types: { a: 'raw' } }), 'TYPE')
  await rejects(t, () => store.importCsv(file, { columnNames: ['a', 'b'] }), 'LENGTH')
  const first = await store.importCsv(file, { name: 'df' })
  await rejects(t, () => store.importCsv(file, { name: 'df' }), 'EXISTS')
  t.is(store.get('df'), first.frame)
  const second = await store.importCsv(file, { name: 'df', replace: true })
  t.is(store.get('df'), second.frame)
  t.is(first.frame.state, 'destroyed')
  holdsOnly(t, store, ['df'], 1)
  store.close()
  const reader = open(t, store.path, { readOnly: true })
  await rejects(t, () => reader.importCsv(file), 'READ_ONLY')
})

const LONG = `a,b,c\n${'1,some text that needs a heap,2.5\n'.repeat(400_000)}`

test('progress counts to the end, an abort and a throwing listener leave nothing', async t => {
  const store = freshStore(t)
  const file = csv(t, LONG)
  const seen = []
  await store.importCsv(file, { onProgress: p => seen.push(p) })
  const total = fs.statSync(file).size
  t.deepEqual(seen.at(-1), { done: total, total, unit: 'bytes' })
  t.true(seen.every((p, i) => i === 0 || p.done >= seen[i - 1].done))
  store.reset()

  const controller = new AbortController()
  const reason = new Error('enough')
  const onProgress = () => controller.abort(reason)
  const error = await store
    .importCsv(file, { signal: controller.signal, onProgress, name: 'x' })
    .catch(e => e)
  // A machine that reads the file between two looks has nothing to abort.
  if (error instanceof Error) {
    t.is(error, reason)
    holdsOnly(t, store, [])
  } else t.is(store.get('x'), error.frame)
  await t.throwsAsync(store.importCsv(file, { signal: AbortSignal.abort(reason) }), { is: reason })
})

test('closing the store during an import rejects it, and the file is let go', async t => {
  const store = freshStore(t)
  const file = csv(t, LONG)
  const importing = store.importCsv(file, { name: 'df' })
  store.close()
  await rejects(t, () => importing, 'CLOSED')
  const again = open(t, store.path)
  holdsOnly(t, again, [])
})

test('a full store refuses the import and is as it was', async t => {
  const store = freshStore(t, { maxSize: '4 MiB' })
  store.from([1, 2], { name: 'kept' })
  await rejects(t, () => store.importCsv(csv(t, LONG), { name: 'df' }), 'NO_SPACE')
  holdsOnly(t, store, ['kept'])
})

test('what is written reads back as it was, in every style', async t => {
  const store = freshStore(t)
  const values = {
    l: [true, null, false],
    i: new Int32Array([1, -2, 2147483647]),
    n: [0.1 + 0.2, null, -0],
    z: [{ re: 1, im: -2 }, null, { re: 0.5, im: 0 }],
    'text, "quoted"': ['a "b",\nc', null, ''],
  }
  const df = store.dataFrame(values)
  const folder = freshDirectory(t)
  for (const [k, style] of [
    {},
    { delimiter: '\t', quote: "'", quoteAll: true },
    { crlf: true, bom: true, na: '-' },
    { rowNames: true },
    { header: false },
  ].entries()) {
    const file = path.join(folder, `${k}.csv`)
    const { nbytes } = await df.exportCsv(file, style)
    t.is(nbytes, fs.statSync(file).size)
    const { delimiter, quote, header } = style
    const back = await store.importCsv(file, {
      ...(delimiter && { delimiter }),
      ...(quote && { quote }),
      ...(header === false && { header, columnNames: df.columnNames }),
      na: [style.na ?? 'NA'],
    })
    const wanted = df.toJSON().map((row, i) => ({ ...(style.rowNames && { V1: i + 1 }), ...row }))
    t.deepEqual(plain(back.frame.toJSON()), wanted, JSON.stringify(style))
  }
  t.deepEqual(fs.readdirSync(folder).length, 5, 'no hidden file stays')
  const named = store.dataFrame({ x: [1, 2] }, { rowNames: ['a', 'b,c'] })
  await named.exportCsv(path.join(folder, 'named.csv'), { rowNames: true })
  t.is(fs.readFileSync(path.join(folder, 'named.csv'), 'utf8'), '"",x\na,1\n"b,c",2\n')
})

test('an export replaces nothing unasked, and an abort leaves the old file', async t => {
  const store = freshStore(t)
  const df = store.dataFrame({ x: new Int32Array(500_000), y: new Float64Array(500_000).fill(1 / 3) })
  const file = csv(t, 'old')
  await rejects(t, () => df.exportCsv(file), 'EXISTS')
  const controller = new AbortController()
  const writing = df.exportCsv(file, { replace: true, signal: controller.signal })
  // A column that is being written cannot go.
  refuses(t, () => df.column('x').destroy(), 'BUSY')
  controller.abort()
  t.is(await writing.catch(e => e), controller.signal.reason)
  t.is(fs.readFileSync(file, 'utf8'), 'old')
  t.deepEqual(fs.readdirSync(path.dirname(file)), ['in.csv'])
  const seen = []
  await df.exportCsv(file, { replace: true, onProgress: p => seen.push(p) })
  t.deepEqual(seen.at(-1), { done: 500_000, total: 500_000, unit: 'records' })
  t.true(fs.readFileSync(file, 'utf8').startsWith('x,y\n0,0.3333333333333333\n'))
  for (const o of [{ na: 1 }, { na: ',' }, { quote: 'ab' }, { delimiter: '\n' }, { sep: ',' }]) {
    await rejects(t, () => df.exportCsv(file, { replace: true, ...o }), 'ARGUMENT')
  }
  await rejects(t, () => df.exportCsv('/nowhere/out.csv'), 'NOT_FOUND')
  df.destroy()
  await rejects(t, () => df.exportCsv(file, { replace: true }), 'DESTROYED')
})

test('at full durability an import is committed off the event loop, or leaves nothing', async t => {
  const folder = freshDirectory(t)
  const store = open(t, path.join(folder, 's.fm'), { durability: 'full' })
  const file = csv(
    t,
    `x,text\n${Array.from({ length: 5000 }, (_, i) => `${i},a text of some length ${i}`).join('\n')}\n`,
  )
  const { frame } = await store.importCsv(file, { name: 'df' })
  t.is(store.get('df'), frame)
  t.is(frame.state, 'committed')
  t.is(openRef(frame.ref), frame)
  t.is(frame.column('text').get(4999), 'a text of some length 4999')
  const old = frame.column('x')
  const again = await store.importCsv(file, { name: 'df', replace: true })
  t.is(store.get('df'), again.frame)
  t.is(old.state, 'destroyed')
  // The name is taken while the file is read.
  const late = store.importCsv(file, { name: 'v' })
  store.vector('integer', [1], { name: 'v' })
  await rejects(t, () => late, 'EXISTS')
  again.frame.destroy()
  holdsOnly(t, store, ['v'])
  const x = store.vector('numeric', [1, 2.5])
  await x.exportNpy(path.join(folder, 'x.npy'))
  x.destroy()
  const y = await store.importNpy(path.join(folder, 'x.npy'), { name: 'y' })
  t.is(store.get('y'), y)
  t.deepEqual(y.toArray(), [1, 2.5])
  store.close()
  t.deepEqual([...open(t, store.path).keys()], ['v', 'y'])
})

// A killed export left its hidden file beside the target for ever.
test('the next export to a path removes what a killed one left there', async t => {
  const folder = freshDirectory(t)
  const file = path.join(folder, 'out.csv')
  const killed = start(
    t,
    async ({ fm, args }) => {
      const { readdirSync } = await import('node:fs')
      const store = fm.openFmalloc(args.store)
      const df = store.dataFrame({ x: new Float64Array(3_000_000).fill(1 / 3) })
      df.exportCsv(args.file).catch(() => {})
      while (readdirSync(args.folder).length === 0);
      process.kill(process.pid, 'SIGKILL')
    },
    { file, folder, store: path.join(freshDirectory(t), 's.fm') },
  )
  t.is((await killed.ended).signal, 'SIGKILL')
  t.is(fs.readdirSync(folder).length, 1)
  t.false(fs.existsSync(file))
  const df = freshStore(t).dataFrame({ x: [1] })
  // To another path it might be anybody's.
  await df.exportCsv(path.join(folder, 'other.csv'))
  t.is(fs.readdirSync(folder).length, 2)
  await df.exportCsv(file)
  t.deepEqual(fs.readdirSync(folder).toSorted(), ['other.csv', 'out.csv'])
})
