// Durability asked for, and waiting for a file: `durability: 'full'`, `vector.sync()`, `lockTimeout`. A power cut is played on a copy of
// the open file whose superblocks name another boot of the machine: then only what a barrier made durable counts.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { openFmalloc, openRef } from '../dist/index.js'
import { start } from './helpers/child.mjs'
import { freshDirectory, freshPath, freshStore, open } from './helpers/files.mjs'
import { crashed } from './helpers/machine.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'

test('with full durability every act is safe when its call returns', t => {
  const store = freshStore(t, { durability: 'full', syncEvery: false })
  store.vector('integer', [1, 2], { name: 'kept' })
  store.vector('integer', [3], { name: 'renamed' })
  store.set('new name', store.get('renamed'))
  store.vector('numeric', [4], { name: 'replaced' })
  store.vector('numeric', [5], { name: 'replaced', replace: true })
  store.vector('raw', [6], { name: 'deleted' })
  store.delete('deleted')
  const after = open(t, crashed(t, store.path))
  t.deepEqual([...after.keys()], ['kept', 'new name', 'replaced'])
  t.deepEqual(after.get('kept').toArray(), [1, 2])
  t.deepEqual(after.get('replaced').toArray(), [5])
  t.true(after.verify().ok)
})

test('without it the same acts wait for a sync', t => {
  const store = freshStore(t, { syncEvery: false })
  store.vector('integer', [1], { name: 'kept' })
  t.deepEqual([...open(t, crashed(t, store.path)).keys()], [])
  store.syncNow()
  t.deepEqual([...open(t, crashed(t, store.path)).keys()], ['kept'])
})

test('sync of one vector covers that vector and leaves the others waiting', async t => {
  const store = freshStore(t, { syncEvery: false })
  const v = store.vector('integer', 3, { name: 'v' })
  store.vector('integer', 3, { name: 'w' })
  v.set(1, 7)
  t.is(await v.sync(), undefined)
  const after = open(t, crashed(t, store.path))
  t.deepEqual([...after.keys()], ['v'])
  t.deepEqual(after.get('v').toArray(), [0, 7, 0])
})

test('sync of a subarray covers its vector', async t => {
  const store = freshStore(t, { syncEvery: false })
  await store.vector('integer', 3, { name: 'v' }).subarray(1, 2).sync()
  t.true(open(t, crashed(t, store.path)).has('v'))
})

test('sync of what has no record, or none any more, rejects', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', 3)
  await rejects(t, () => v.slice(0, 1).sync(), 'ARGUMENT', /keep/)
  v.destroy()
  await rejects(t, () => v.sync(), 'DESTROYED')
  const w = store.vector('integer', 3)
  store.close()
  await rejects(t, () => w.sync(), 'CLOSED')
})

test('close in the middle of a sync waits or makes it reject, and never more', async t => {
  for (let i = 0; i < 20; i++) {
    const store = freshStore(t)
    const v = store.vector('numeric', 1e5, { name: 'v' })
    const syncs = [v.sync(), v.sync(), store.sync()]
    if (i % 2 === 1) await new Promise(resolve => setImmediate(resolve))
    store.close()
    for (const result of await Promise.allSettled(syncs)) {
      if (result.status === 'rejected') t.is(result.reason.code, 'ERR_FMALLOC_CLOSED')
    }
    t.deepEqual(open(t, store.path).get('v').length, 1e5)
  }
})

test('sync of a vector in a read-only or scratch store has nothing to do', async t => {
  const store = freshStore(t)
  store.vector('integer', 1, { name: 'v' })
  store.close()
  await open(t, store.path, { readOnly: true }).get('v').sync()
  await freshStore(t, { mode: 'scratch' }).vector('integer', 1).sync()
  t.pass()
})

test('openFmalloc waits for a writer in another process', async t => {
  const file = freshPath(t)
  const child = start(
    t,
    async ({ fm, args, say, hear }) => {
      const store = fm.openFmalloc(args.file)
      store.vector('integer', [1, 2, 3], { name: 'v' })
      await say('open')
      await hear()
      store.close()
    },
    { file },
  )
  t.is(await child.hear(), 'open')
  const error = refuses(t, () => openFmalloc(file, { lockTimeout: 30 }), 'LOCKED')
  if (fs.existsSync('/proc/locks')) t.regex(error.message, new RegExp(`\\b${child.pid}\\b`))
  else t.log('the holder is not checked: this system does not tell it')
  child.send('end')
  // Blocks this thread until the child, which needs nothing from it any more, is gone.
  const store = open(t, file, { lockTimeout: Infinity })
  t.deepEqual(store.get('v').toArray(), [1, 2, 3])
  const { ref } = store.get('v')
  store.close()
  const again = openRef(ref, { lockTimeout: 1000 })
  t.teardown(() => again.store.close())
  t.deepEqual(again.toArray(), [1, 2, 3])
})

test('what is not locked is not waited for', t => {
  const missing = path.join(freshDirectory(t), 'none.fm')
  refuses(t, () => openFmalloc(missing, { create: false, lockTimeout: Infinity }), 'NOT_FOUND')
  const store = freshStore(t, { lockTimeout: Infinity })
  refuses(t, () => openFmalloc(store.path, { readOnly: true, lockTimeout: Infinity }), 'MODE')
})
