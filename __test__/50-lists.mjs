// Lists: what they hold stays, is the same object, and is never taken for something else, in every mode, thread and process.

import fs from 'node:fs'
import util from 'node:util'
import test from 'ava'
import {
  createFmallocVector,
  destroyFmallocVector,
  fmallocRuntime,
  fmallocVectorInfo,
  fmallocVectorLength,
  fmallocVectorType,
  initFmalloc,
  cleanupFmalloc,
  isFmallocVector,
  List,
  openFmalloc,
  openRef,
} from '../dist/index.js'
import { start } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'
import { collect } from './helpers/waiting.mjs'

/** Both kinds of store: what a list does must not depend on whether it has a record. */
function both(title, body) {
  for (const mode of ['persistent', 'scratch'])
    test(`${title} (${mode})`, t => body(t, freshStore(t, { mode })))
}

/** What structuredClone throws is a DOMException, which is no Error to ava. */
function cloneError(clone) {
  try {
    clone()
    return 'nothing was thrown'
  } catch (e) {
    return `${e.name} ${e.message}`
  }
}

/** A list of lists of lists: the innermost holds `leaf` in cell 0. */
function nest(store, depth, leaf) {
  let list = store.list([leaf])
  for (let k = 1; k < depth; k++) list = store.list([null, list])
  return list
}

function innermost(list, depth) {
  for (let k = 1; k < depth; k++) list = list.get(1)
  return list.get(0)
}

both('4.4 lists nest sixty-four deep, and a child may sit in several', (t, store) => {
  const leaf = store.vector('integer', [34, null, 51], { name: 'leaf' })
  const deep = nest(store, 64, leaf).keep('deep')
  t.is(innermost(deep, 64), leaf)
  const other = store.list([leaf, deep, leaf])
  t.is(other.get(0), other.get(2))
  t.is(other.get(1), deep)
  t.deepEqual(
    [...other].map(x => x.kind),
    ['vector', 'list', 'vector'],
  )
})

both('4.1 a list holds nothing but objects of its store', (t, store) => {
  const list = store.list(2)
  for (const value of [1, 'a', true, [1, 2], { re: 1, im: 0 }, new Int32Array(2), store, Symbol('x')])
    refuses(t, () => list.set(0, value), 'ARGUMENT')
  refuses(t, () => list.set(0, undefined), 'VALUE', /null/)
  refuses(t, () => store.list([undefined]), 'VALUE', /null/)
  // eslint-disable-next-line no-sparse-arrays
  refuses(t, () => store.list([, null]), 'VALUE')
  refuses(t, () => store.list([[1, 2]]), 'ARGUMENT')
  refuses(t, () => store.list('abc'), 'ARGUMENT')
  refuses(t, () => store.list(-1), 'ARGUMENT')
  refuses(t, () => store.list(2 ** 40), 'TOO_LARGE')
  t.deepEqual([...list], [null, null])
})

both('4.2 an element of another store and a list in itself are refused, at any depth', (t, store) => {
  const foreign = freshStore(t)
  const list = store.list(1)
  refuses(t, () => list.set(0, foreign.vector('integer', [1])), 'OTHER_STORE', /copy/)
  refuses(t, () => store.list([foreign.list(0)]), 'OTHER_STORE')
  refuses(t, () => list.set(0, list), 'CYCLE')
  const outer = store.list([store.list([list])])
  refuses(t, () => list.set(0, outer), 'CYCLE')
  t.deepEqual(list.toJSON(), [null])
  // Another branch of the same tree is no cycle.
  list.set(0, store.vector('integer', [1]))
  t.deepEqual(outer.toJSON(), [[[[1]]]])
})

test('4.3 two handles of one file count as the same store', t => {
  const path = freshPath(t)
  const [a, b] = [open(t, path), open(t, path)]
  const list = a.list([b.vector('integer', [1, 2])])
  t.deepEqual(list.get(0).toArray(), [1, 2])
  t.is(list.get(0).store, a)
})

both('4.5 what is taken out is the object itself', (t, store) => {
  const age = store.vector('integer', [34, 51])
  const list = store.list([age])
  t.is(list.get(0), age)
  list.get(0).set(0, 35)
  t.is(age.get(0), 35)
  // In R a write to what was taken out leaves the list alone: copy() is that.
  list.get(0).copy().set(0, 99)
  t.is(age.get(0), 35)
})

both(
  '4.6 a list made of another holds the same objects; replacing one of them leaves the original',
  (t, store) => {
    const v = store.vector('integer', [1])
    const list = store.list([v, null])
    const copy = store.list([...list])
    copy.set(0, store.vector('integer', [2]))
    t.is(list.get(0), v)
    t.deepEqual(copy.toJSON(), [[2], null])
  },
)

both('4.7 each placement counts as a parent, and replacing or removing gives it back', (t, store) => {
  const v = store.vector('integer', [1], { name: 'v' })
  const list = store.list([v, v, null])
  const other = store.list([v, list])
  t.is(fmallocVectorInfo(v).parentRefs, 3)
  t.is(fmallocVectorInfo(list).parentRefs, 1)
  const error = refuses(t, () => v.destroy(), 'BUSY', /3 parent references/)
  t.is(error.details.parents, 3)
  refuses(t, () => list.destroy(), 'BUSY', /1 parent reference /)
  refuses(t, () => store.delete('v'), 'BUSY')
  list.set(1, null).set(0, store.vector('integer', [2]))
  t.is(fmallocVectorInfo(v).parentRefs, 1)
  t.true(other.destroy())
  t.false(other.destroy())
  t.is(fmallocVectorInfo(v).parentRefs, 0)
  t.true(store.delete('v'))
  refuses(t, () => v.get(0), 'DESTROYED')
  t.deepEqual(list.toJSON(), [[2], null, null])
})

both('4.8 null releases the child and keeps the length', (t, store) => {
  const v = store.vector('integer', [1])
  const list = store.list([v, v])
  list.set(0, null)
  t.is(list.length, 2)
  t.deepEqual(list.toJSON(), [null, [1]])
  list.set(1, null)
  t.true(v.destroy())
  t.deepEqual([...list], [null, null])
})

both('named cells are found by name, the first that fits, and names stay with their cells', (t, store) => {
  const [v, w] = [store.vector('integer', [1]), store.vector('integer', [2])]
  const list = store.list({ v, nothing: null, w }, { name: 'l' })
  t.deepEqual(list.names.toArray(), ['v', 'nothing', 'w'])
  t.is(list.get('w'), w)
  t.is(list.get('nothing'), null)
  list.set('nothing', w)
  t.is(list.get('nothing'), w)
  refuses(t, () => list.get('nobody'), 'OUT_OF_BOUNDS', /no element is named "nobody"/)
  refuses(t, () => list.set('nobody', v), 'OUT_OF_BOUNDS')
  const twice = store.list([v, w, null], { names: ['a', 'a', null] })
  t.is(twice.get('a'), v)
  t.deepEqual(twice.toJSON(), [[1], [2], null])
  t.deepEqual({ ...list.toJSON() }, { v: [1], nothing: [2], w: [2] })
  t.is(JSON.stringify(list), '{"v":[1],"nothing":[2],"w":[2]}')
  t.is(util.inspect(list).includes('v: Vector<integer> [1], nothing: '), true)
  refuses(t, () => store.list([v], { names: ['a', 'b'] }), 'LENGTH')
  refuses(t, () => store.list({ v }, { names: ['a'] }), 'ARGUMENT')
  refuses(t, () => store.list({ v: undefined }), 'VALUE')
  t.is(store.list(2, { names: ['x', 'y'] }).get('y'), null)
})

both('a destroyed or closed list refuses every use and still says what it was', (t, store) => {
  const list = store.list([null], { name: 'l' })
  t.true(list.destroy())
  t.is(list.state, 'destroyed')
  t.deepEqual([list.kind, list.type, list.length], ['list', 'list', 1])
  for (const act of [
    () => list.get(0),
    () => list.at(0),
    () => list.set(0, null),
    () => list.toJSON(),
    () => [...list],
    () => list.keep(),
  ])
    refuses(t, act, 'DESTROYED', /list "l"/)
  t.false(list.destroy())
  const other = store.list([null], { name: 'o' })
  store.close()
  t.is(other.state, 'closed')
  refuses(t, () => other.get(0), 'CLOSED', /list "o"/)
  t.is(String(other), 'List "o" [1] (closed)')
})

both('positions are checked as everywhere', (t, store) => {
  const v = store.vector('integer', [1])
  const list = store.list([null, v])
  t.is(list.at(-1), v)
  t.is(list.at(0), null)
  t.is(list.at(2), undefined)
  t.is(list.at(-3), undefined)
  for (const i of [2, -1, 1e12]) refuses(t, () => list.get(i), 'OUT_OF_BOUNDS', /subscript out of bounds/)
  for (const i of [0.5, NaN, null, undefined, {}]) refuses(t, () => list.get(i), 'SUBSCRIPT')
  refuses(t, () => list.get('v'), 'OUT_OF_BOUNDS')
  refuses(t, () => list.set(2, v), 'OUT_OF_BOUNDS')
  refuses(t, () => list.at(0.5), 'SUBSCRIPT')
})

both('a window of a vector is not held, since a list would keep what nobody can name', (t, store) => {
  const v = store.vector('integer', [1, 2, 3])
  refuses(t, () => store.list([v.subarray(1)]), 'ARGUMENT', /copy\(\) it first/)
  t.deepEqual(store.list([v.subarray(1).copy()]).toJSON(), [[2, 3]])
  // The whole of it is the vector itself.
  t.deepEqual(store.list([v.subarray()]).toJSON(), [[1, 2, 3]])
})

both('putting a temporary into a list commits it', (t, store) => {
  const list = store.list([store.vector('integer', [1]).slice()], { name: 'l' })
  t.is(list.get(0).state, 'committed')
  const part = store.vector('integer', [5, 6, 7]).slice(1)
  t.is(part.state, 'temporary')
  list.set(0, part)
  t.is(part.state, 'committed')
  t.is(list.get(0), part)
  t.false(part.ref.temporary && store.mode === 'persistent')
  t.deepEqual(part.toArray(), [6, 7])
  part.keep('part')
  t.is(store.get('part'), part)
})

both('===: a list found by name, in a list and by reference is one object', (t, store) => {
  const inner = store.list(0, { name: 'inner' })
  const outer = store.list([inner], { name: 'outer' })
  t.is(store.get('inner'), inner)
  t.is(outer.get(0), inner)
  t.is(store.getList('outer'), outer)
  t.is(openRef(outer.ref), outer)
  t.deepEqual(
    [...store.entries()],
    [
      ['inner', inner],
      ['outer', outer],
    ],
  )
  t.true(inner instanceof List)
  refuses(t, () => store.getVector('inner'), 'TYPE')
  store.vector('integer', [1], { name: 'v' })
  refuses(t, () => store.getList('v'), 'TYPE')
  refuses(t, () => store.getList('nobody'), 'NOT_FOUND')
})

both('a list is named, renamed and replaced as a vector is', (t, store) => {
  const a = store.list(1, { name: 'a' })
  refuses(t, () => store.list(1, { name: 'a' }), 'EXISTS')
  const b = store.list(2, { name: 'a', replace: true })
  t.is(a.state, 'destroyed')
  store.set('b', b)
  t.deepEqual([b.name, store.has('a'), store.get('b')], ['b', false, b])
  b.keep('c')
  t.is(b.name, 'c')
  refuses(t, () => store.set('d', 5), 'ARGUMENT')
  t.true(store.delete('c'))
  t.is(b.state, 'destroyed')
})

both('destroying a list leaves what it held', (t, store) => {
  const v = store.vector('integer', [1, 2])
  const list = store.list([v])
  t.true(destroyFmallocVector(list))
  t.false(destroyFmallocVector(list))
  t.deepEqual(v.toArray(), [1, 2])
  t.true(v.destroy())
})

/** A replaced vector that a list held was destroyed under the list. */
both('replacing the name of a held object leaves the object', (t, store) => {
  const v = store.vector('integer', [1], { name: 'v' })
  const list = store.list([v])
  const w = store.vector('integer', [2], { name: 'v', replace: true })
  t.is(list.get(0), v)
  t.is(v.name, null)
  t.is(store.get('v'), w)
})

both('what only a list holds survives every collection', async (t, store) => {
  const list = store.list(100)
  for (let k = 0; k < 100; k++) list.set(k, store.vector('integer', [k]))
  await collect()
  t.deepEqual(
    Array.from(list, v => v.get(0)),
    Array.from({ length: 100 }, (_, k) => k),
  )
})

both('tidy keeps what a returned list holds, and frees the rest', (t, store) => {
  const v = store.vector('integer', [1, 2, 3])
  let lost
  const kept = store.tidy(() => {
    lost = v.slice()
    const part = v.slice(1)
    return { list: store.list([part]), part: v.slice(2) }
  })
  t.is(lost.state, 'destroyed')
  t.deepEqual(kept.list.toJSON(), [[2, 3]])
  t.deepEqual(kept.part.toArray(), [3])
})

test('JSON has the values, at any depth', t => {
  const store = freshStore(t)
  const list = store.list([store.vector('numeric', [1.5, NaN, null]), null, store.list([])])
  t.is(JSON.stringify(list), '[[1.5,null,null],null,[]]')
  t.is(JSON.stringify({ list }), '{"list":[[1.5,null,null],null,[]]}')
})

test('the console shows what a list holds, and never throws', t => {
  const store = freshStore(t)
  const age = store.vector('integer', [34], { name: 'age' })
  const list = store.list([age, null, store.list(3)], { name: 'l' })
  t.is(util.inspect(list), 'List "l" [3]  Vector<integer> "age" [1], null, List [3]  (in store.fm)')
  t.is(`${list}`, 'List "l" [3]')
  t.is(util.inspect(store.list(11)).match(/null/g).length, 10)
  t.regex(util.inspect(store.list(11)), /null, …/)
  refuses(t, () => list + 1, 'OPERATOR', /get/)
  list.destroy()
  t.is(util.inspect(list), 'List "l" [3] (destroyed)')
})

test('a list cannot be cloned or posted by mistake', t => {
  const list = freshStore(t).list(1)
  for (const clone of [() => structuredClone(list), () => structuredClone({ deep: [list] })])
    t.regex(cloneError(clone), /^DataCloneError .*list\.ref/)
  t.notDeepEqual(list, freshStore(t).list(1))
  t.throws(() => new List(1))
})

test('a reference leads to the list in another thread, with the same objects', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', [34, null], { name: 'v' })
  const list = store.list([v, null, store.list([v])], { name: 'l' })
  const { run } = thread(t)
  const seen = await run(
    ({ fm, args }) => {
      const list = fm.openRef(args.ref)
      const inner = list.get(2)
      const same = inner.get(0) === list.get(0) && list.store.get('v') === list.get(0)
      list.set(1, list.store.vector('integer', [7]))
      return { json: list.toJSON(), same, isList: list instanceof fm.List, ref: list.ref }
    },
    { ref: list.ref },
  )
  t.deepEqual(seen, { json: [[34, null], [7], [[34, null]]], same: true, isList: true, ref: list.ref })
  t.deepEqual(list.get(1).toArray(), [7])
})

test('a list comes back in another process, by name and by reference', async t => {
  const path = freshPath(t)
  const store = openFmalloc(path)
  const deep = nest(store, 64, store.vector('integer', [34, null, 51])).keep('deep')
  const { ref } = deep
  store.close()
  const { code, value } = await start(
    t,
    ({ fm, args }) => {
      const store = fm.openFmalloc(args.path)
      let list = store.getList('deep')
      const same = fm.openRef(args.ref) === list
      for (let k = 1; k < 64; k++) list = list.get(1)
      return { values: list.get(0).toArray(), same, faults: store.verify().faults }
    },
    { path, ref },
  ).ended
  t.is(code, 0)
  t.deepEqual(value, { values: [34, null, 51], same: true, faults: [] })
})

test('a read-only store shows its lists and changes none', t => {
  const path = freshPath(t)
  const store = openFmalloc(path)
  const v = store.vector('integer', [1], { name: 'v' })
  store.list([v, null], { name: 'l' })
  store.close()
  const reader = open(t, path, { readOnly: true })
  const list = reader.getList('l')
  t.deepEqual(list.toJSON(), [[1], null])
  t.is(list.get(0), reader.get('v'))
  for (const act of [
    () => list.set(0, null),
    () => list.keep('m'),
    () => list.destroy(),
    () => reader.list(0),
  ])
    refuses(t, act, 'READ_ONLY')
})

/** A cell as a crash may leave it: its object is gone, and the slot may hold another by now. */
test('a cell whose object is gone is an error, and never another object', t => {
  const path = freshPath(t)
  const store = openFmalloc(path)
  const [v, w] = [1, 2].map(x => store.vector('integer', [x, x]))
  const list = store.list([v, w], { name: 'l' })
  store.dataFrame({ v, w }, { name: 'df' })
  const cells = store
    .allocations()
    .filter(row => row.type === 'list')
    .map(row => row.payloadOffset)
  t.is(cells.length, 2)
  store.close()
  const fd = fs.openSync(path, 'r+')
  for (const offset of cells) {
    const cell = Buffer.alloc(8)
    fs.readSync(fd, cell, 0, 8, offset)
    t.is(cell.readUInt32LE(0), v.ref.id)
    cell.writeUInt32LE(cell.readUInt32LE(4) + 1, 4)
    fs.writeSync(fd, cell, 0, 8, offset)
  }
  fs.closeSync(fd)
  const again = open(t, path)
  const stale = again.getList('l')
  refuses(t, () => stale.get(0), 'STALE_REF', /cell 0/)
  t.deepEqual(stale.get(1).toArray(), [2, 2])
  refuses(t, () => stale.toJSON(), 'STALE_REF')
  t.regex(util.inspect(stale), /\(gone\), Vector/)
  const df = again.getDataFrame('df')
  refuses(t, () => df.column('v'), 'STALE_REF')
  refuses(t, () => df.columns, 'STALE_REF')
  refuses(t, () => df.row(0), 'STALE_REF')
  t.deepEqual(df.column('w').toArray(), [2, 2])
  t.deepEqual(df.ref.schema, {})
  t.regex(util.inspect(df), /^DataFrame "df" \[2 × 2\]/)
  stale.set(0, null)
  t.deepEqual(stale.toJSON(), [null, [2, 2]])
  t.true(df.destroy() && stale.destroy())
  t.is(list.state, 'closed')
})

test('a reference to what is no list, or another one, is refused', t => {
  const store = freshStore(t)
  const list = store.list(2)
  const v = store.vector('integer', [1])
  refuses(t, () => openRef({ ...list.ref, length: 3 }), 'STALE_REF')
  refuses(t, () => openRef({ ...list.ref, id: v.ref.id, generation: v.ref.generation }), 'STALE_REF')
  refuses(t, () => openRef({ ...v.ref, id: list.ref.id, generation: list.ref.generation }), 'STALE_REF')
  refuses(t, () => openRef({ ...list.ref, length: -1 }), 'ARGUMENT')
  list.destroy()
  refuses(t, () => openRef(list.ref), 'STALE_REF')
})

test.serial("R's names for lists", t => {
  t.true(initFmalloc(freshPath(t)))
  t.teardown(() => cleanupFmalloc())
  const list = createFmallocVector('list', 3)
  t.deepEqual([...list], [null, null, null])
  t.true(isFmallocVector(list))
  t.is(fmallocVectorType(list), 'list')
  t.is(fmallocVectorLength(list), 3)
  t.is(fmallocRuntime(list), list.store)
  t.is(createFmallocVector('LIST', 0, { runtime: list.store }).length, 0)
  list.set(1, createFmallocVector('integer', 1))
  const info = fmallocVectorInfo(list)
  t.like(info, {
    type: 'list',
    sexptype: 19,
    length: 3,
    payloadNbytes: 24,
    parentRefs: 0,
    runtimeMode: 'persistent',
  })
  t.is(fmallocVectorInfo(list.get(1)).parentRefs, 1)
  refuses(t, () => createFmallocVector('list', -1), 'ARGUMENT')
  refuses(t, () => list.store.vector('list', 1), 'TYPE', /store\.list/)
  t.true(destroyFmallocVector(list, true))
  refuses(t, () => fmallocVectorInfo(list), 'DESTROYED')
})
