// Closing: immediate and idempotent for close(), R's patient rule for cleanupFmalloc. Rows 1.16 and 1.30 to 1.38.

import fs from 'node:fs'
import test from 'ava'
import { cleanupFmalloc, fmallocDefaultRuntime, initFmalloc, openFmalloc } from '../dist/index.js'
import { inChild, start } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'

const DETACHES = Number(process.versions.node.split('.')[0]) >= 22

test('close is idempotent, and the store says that it is closed', t => {
  const store = freshStore(t)
  t.is(store.close(), undefined)
  t.is(store.close(), undefined)
  t.true(store.closed)
})

test('use after close throws CLOSED, metadata never throws', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  const { path: where, uuid } = store
  store.close()
  refuses(t, () => v.get(0), 'CLOSED')
  refuses(t, () => v.set(0, 1), 'CLOSED')
  refuses(t, () => v.view(), 'CLOSED')
  refuses(t, () => v.toArray(), 'CLOSED')
  refuses(t, () => v.copy(), 'CLOSED')
  refuses(t, () => v.fill(0), 'CLOSED')
  refuses(t, () => [...v], 'CLOSED')
  refuses(t, () => v.at(0), 'CLOSED')
  refuses(t, () => v.write([1]), 'CLOSED')
  refuses(t, () => v.readInto(new Int32Array(3)), 'CLOSED')
  refuses(t, () => v.subarray(0, 1).get(0), 'CLOSED')
  refuses(t, () => JSON.stringify(v), 'CLOSED')
  refuses(t, () => store.vector('integer', 1), 'CLOSED')
  refuses(t, () => store.get('v'), 'CLOSED')
  refuses(t, () => store.has('v'), 'CLOSED')
  refuses(t, () => [...store.keys()], 'CLOSED')
  refuses(t, () => store.verify(), 'CLOSED')
  refuses(t, () => store.syncNow(), 'CLOSED')
  refuses(t, () => store.allocations(), 'CLOSED')
  refuses(t, () => store.allocate(8), 'CLOSED')
  t.is(v.state, 'closed')
  t.is(v.length, 3)
  t.is(v.type, 'integer')
  t.is(v.nbytes, 12)
  t.is(store.path, where)
  t.is(store.uuid, uuid)
  t.deepEqual(JSON.parse(JSON.stringify(store)), { path: where, uuid })
  t.regex(String(v), /closed/)
})

test('promises asked of a closed store reject', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  store.close()
  await rejects(t, () => store.sync(), 'CLOSED')
  await rejects(t, () => store.verifyAsync(), 'CLOSED')
  await rejects(t, () => v.prefetch(), 'CLOSED')
})

test('an iterator that outlives its store throws, it never ends silently', t => {
  const store = freshStore(t)
  const v = store.vector('numeric', [1, 2, 3])
  const values = v[Symbol.iterator]()
  t.is(values.next().value, 1)
  store.close()
  refuses(
    t,
    () => {
      for (;;) if (values.next().done) return
    },
    'CLOSED',
  )
})

test(`a view that outlives its store is ${DETACHES ? 'empty' : 'zeros'}, and the file is not reached through it`, t => {
  const file = freshPath(t)
  const store = open(t, file)
  const xs = store.vector('numeric', [1, 2, 3], { name: 'v' }).view()
  store.close()
  if (DETACHES) t.is(xs.length, 0)
  else t.deepEqual([...xs], [0, 0, 0])
  xs[0] = 99
  t.deepEqual(open(t, file).getVector('v').toArray(), [1, 2, 3])
})

test('close with live views frees the lock at once', async t => {
  const store = freshStore(t)
  const xs = store.vector('numeric', [1, 2, 3], { name: 'v' }).view()
  store.close()
  const values = await inChild(
    t,
    ({ fm, args }) => {
      const other = fm.openFmalloc(args.file)
      const found = other.getVector('v').toArray()
      other.close()
      return found
    },
    { file: store.path },
  )
  t.deepEqual(values, [1, 2, 3])
  t.true(xs.length === 0 || xs[0] === 0)
})

test('the same file opens again at once after close, and a vector of the old handle stays dead', t => {
  const file = freshPath(t)
  const store = open(t, file)
  const v = store.vector('integer', [1], { name: 'v' })
  store.close()
  const again = open(t, file)
  t.is(again.getVector('v').get(0), 1)
  refuses(t, () => v.get(0), 'CLOSED')
})

test('closing one of two handles leaves the other, its vectors and its views', t => {
  const file = freshPath(t)
  const a = open(t, file)
  const b = open(t, file)
  const va = a.vector('integer', [1], { name: 'v' })
  const vb = b.getVector('v', 'integer')
  const xs = vb.view()
  a.close()
  refuses(t, () => va.get(0), 'CLOSED')
  t.is(vb.get(0), 1)
  xs[0] = 5
  t.is(vb.get(0), 5)
  t.false(b.closed)
})

test('Symbol.dispose closes', t => {
  const store = freshStore(t)
  store[Symbol.dispose]()
  t.true(store.closed)
})

test('Symbol.asyncDispose syncs and closes', async t => {
  const file = freshPath(t)
  const store = open(t, file)
  store.vector('integer', [1], { name: 'v' })
  await store[Symbol.asyncDispose]()
  t.true(store.closed)
  t.is(open(t, file).getVector('v').get(0), 1)
})

test('a sync in flight when the store closes settles: done, or refused as closed', async t => {
  const store = freshStore(t)
  store.vector('raw', 2 ** 20, { name: 'v' }).fill(7)
  const pending = store.sync().then(
    () => 'done',
    error => error.code,
  )
  store.close()
  t.true(['done', 'ERR_FMALLOC_CLOSED'].includes(await pending))
})

test.serial('1.30 cleanup without a default is a no-op, as often as called', t => {
  t.is(cleanupFmalloc(), undefined)
  t.is(cleanupFmalloc(), undefined)
  t.is(cleanupFmalloc(null), undefined)
})

test.serial('1.30 cleanup without an argument closes the default', t => {
  const file = freshPath(t)
  initFmalloc(file)
  const store = fmallocDefaultRuntime()
  cleanupFmalloc()
  t.is(fmallocDefaultRuntime(), null)
  refuses(t, () => store.vector('integer', 1), 'CLOSED')
})

test('1.31 cleanup returns nothing, twice is a no-op', t => {
  const store = freshStore(t)
  t.is(cleanupFmalloc(store), undefined)
  t.is(cleanupFmalloc(store), undefined)
})

for (const [what, value] of [
  ['a number', 1],
  ['a path', 'a.fm'],
  ['an object', {}],
  ['true', true],
]) {
  test(`1.32 cleanup of ${what}, not a runtime handle, is refused`, t => {
    refuses(t, () => cleanupFmalloc(value), ['ARGUMENT', 'TYPE'])
  })
}

test('1.32 cleanup of a vector, not a runtime handle, is refused', t => {
  const v = freshStore(t).vector('integer', [1])
  refuses(t, () => cleanupFmalloc(v), ['ARGUMENT', 'TYPE'])
  t.is(v.get(0), 1)
})

test.serial('1.33 cleaning up the default by its handle removes the default', t => {
  initFmalloc(freshPath(t))
  const store = fmallocDefaultRuntime()
  cleanupFmalloc(store)
  t.is(fmallocDefaultRuntime(), null)
})

test.serial('1.33 cleaning up another handle leaves the default', t => {
  initFmalloc(freshPath(t))
  const store = fmallocDefaultRuntime()
  cleanupFmalloc(freshStore(t))
  t.is(fmallocDefaultRuntime(), store)
  cleanupFmalloc()
})

test('1.34 after cleanup reachable vectors stay readable and writable, new ones are refused', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2], { name: 'v' })
  const xs = v.view()
  cleanupFmalloc(store)
  t.is(v.get(0), 1)
  v.set(1, 9)
  t.is(xs[1], 9)
  refuses(t, () => store.vector('integer', 1), 'CLOSED', /closed/)
  refuses(t, () => v.copy(), 'CLOSED')
  t.true(store.closed)
  t.is(v.state, 'committed')
})

test('1.34 cleanup of a store without vectors closes it at once', async t => {
  const store = freshStore(t)
  cleanupFmalloc(store)
  const code = await inChild(t, ({ fm, args, codeOf }) => codeOf(() => fm.openFmalloc(args.file).size), {
    file: store.path,
  })
  t.is(code, 'returned 0')
})

test('1.34 close ends what cleanup left waiting', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  cleanupFmalloc(store)
  t.is(v.get(0), 1)
  store.close()
  refuses(t, () => v.get(0), 'CLOSED')
})

test('1.35 the mapping and the lock go when the last vector is collected, not before', async t => {
  const file = freshPath(t)
  const holder = start(
    t,
    async ({ fm, args, say, hear, collect }) => {
      let v
      await (async () => {
        const store = fm.openFmalloc(args.file)
        v = store.vector('integer', [1, 2, 3], { name: 'v' })
        fm.cleanupFmalloc(store)
      })()
      await collect()
      await say(v.get(2)) // still here
      await hear()
      v = undefined
      for (;;) {
        await collect()
        await say('collected')
        if ((await hear()) === 'enough') return
      }
    },
    { file },
  )
  t.is(await holder.hear(), 3)
  refuses(t, () => openFmalloc(file), 'LOCKED')
  holder.send('let go')
  let freed = false
  for (let i = 0; i < 50 && !freed; i++) {
    t.is(await holder.hear(), 'collected')
    try {
      openFmalloc(file).close()
      freed = true
    } catch (error) {
      t.is(error.code, 'ERR_FMALLOC_LOCKED')
    }
    holder.send(freed ? 'enough' : 'again')
  }
  t.true(freed, 'the lock is free after the last vector was collected')
  t.is((await holder.ended).code, 0)
})

test('1.36 dropping every handle without cleanup keeps the vectors alive', async t => {
  const values = await inChild(
    t,
    async ({ fm, args, collect }) => {
      const make = () => fm.openFmalloc(args.file).vector('integer', [1, 2, 3], { name: 'v' })
      const v = make()
      await collect()
      v.set(0, 7)
      return v.toArray()
    },
    { file: freshPath(t) },
  )
  t.deepEqual(values, [7, 2, 3])
})

test('1.37 two handles, one cleaned up: the other still creates', t => {
  const file = freshPath(t)
  const a = open(t, file)
  const b = open(t, file)
  cleanupFmalloc(a)
  t.is(b.vector('integer', [4], { name: 'v' }).get(0), 4)
  refuses(t, () => a.vector('integer', 1), 'CLOSED')
})

test('1.16 opening while a cleanup is pending revives the store with a new handle; the old handle stays closed', t => {
  const file = freshPath(t)
  const old = open(t, file)
  const v = old.vector('integer', [1], { name: 'v' })
  cleanupFmalloc(old)
  const revived = open(t, file)
  t.not(revived, old)
  t.false(revived.created)
  const w = revived.getVector('v', 'integer')
  v.set(0, 5)
  t.is(w.get(0), 5, 'one mapping')
  revived.vector('integer', [2], { name: 'w' })
  refuses(t, () => old.vector('integer', 1), 'CLOSED')
})

test('1.38 after cleanup the same file opens at once and everything committed is there', t => {
  const file = freshPath(t)
  const store = open(t, file)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  cleanupFmalloc(store)
  t.deepEqual(open(t, file).getVector('v').toArray(), [1, 2, 3])
})

test('closing does not change a store in which nothing was changed', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  store.close()
  const before = fs.readFileSync(store.path)
  const again = open(t, store.path)
  again.getVector('v').toArray()
  again.close()
  t.true(fs.readFileSync(store.path).equals(before))
})
