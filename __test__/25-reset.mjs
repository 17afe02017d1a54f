// A store emptied, what it says of its bytes, and what becomes of unsynced objects after a crash of the machine.

import fs from 'node:fs'
import test from 'ava'
import { captureWarnings, openFmalloc, openRef } from '../dist/index.js'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { crashed } from './helpers/machine.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'

/** The bytes of a store by their state, which add up to its length. */
function usage(t, store) {
  const { summary } = store.diagnose()
  const { liveBytes, pinnedBytes, temporaryBytes, retiredBytes, freeBytes, metadataBytes } = summary
  t.is(
    liveBytes + pinnedBytes + temporaryBytes + retiredBytes + freeBytes + metadataBytes,
    store.nbytes,
    JSON.stringify(summary),
  )
  return summary
}

for (const mode of ['persistent', 'scratch']) {
  test(`reset ends every object of a ${mode} store, in every thread`, async t => {
    const store = freshStore(t, { mode })
    const v = store.vector('integer', [1, 2, 3], { name: 'v' })
    const unnamed = store.vector('numeric', 1000)
    const temporary = v.copy()
    const xs = v.view()
    const { ref } = v
    const { run, tell } = thread(t)
    await run(({ fm, args, keep }) => void (keep.v = fm.openRef(args.ref)), { ref })
    store.reset()
    t.is(store.size, 0)
    t.deepEqual([...store.keys()], [])
    t.is(store.get('v'), undefined)
    for (const dead of [v, unnamed, temporary]) {
      t.is(dead.state, 'destroyed')
      refuses(t, () => dead.get(0), 'DESTROYED')
    }
    t.is((await tell(({ keep }) => keep.v.get(0))).code, 'ERR_FMALLOC_DESTROYED')
    refuses(t, () => openRef(ref), 'STALE_REF')
    t.deepEqual([...xs], [1, 2, 3])
    const w = store.vector('integer', [7], { name: 'v' })
    t.deepEqual(store.get('v').toArray(), [7])
    t.true(w.destroy())
    t.true(store.verify({ payloads: true }).ok)
  })
}

test('a store that was reset is small once it is closed, and empty when opened again', t => {
  const store = freshStore(t)
  const empty = fs.statSync(store.path).size
  for (let i = 0; i < 50; i++) store.vector('numeric', 1e5, { name: `v${i}` })
  store.reset()
  store.close()
  t.true(fs.statSync(store.path).size <= empty + 1024 * 1024)
  t.is(open(t, store.path).size, 0)
})

test('reset is refused where nothing may change', async t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  store.close()
  refuses(t, () => store.reset(), 'CLOSED')
  const reader = open(t, store.path, { readOnly: true })
  refuses(t, () => reader.reset(), 'READ_ONLY')
  t.true(reader.has('v'))
})

test('tidy around a reset finds its temporaries gone and goes on', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2])
  t.notThrows(() =>
    store.tidy(() => {
      v.copy()
      store.reset()
    }),
  )
})

test('diagnose tells live bytes from retired, pinned, temporary and free ones', t => {
  const store = freshStore(t, { syncEvery: false })
  store.vector('integer', 16, { name: 'small' })
  const v = store.vector('numeric', 1e4)
  store.vector('numeric', 10, { name: 'sealed' }).seal()
  const copy = v.copy()
  let s = usage(t, store)
  t.is(s.unnamedRecords, 1)
  t.is(s.sealedRecords, 1)
  t.is(s.temporaries, 1)
  t.is(s.temporaryBytes, 80_000)
  t.is(s.damagedRecords, 0)
  t.true(s.largestGapBytes <= s.freeBytes)
  store.syncNow()
  const xs = v.view()
  v.destroy()
  store.delete('small')
  copy.destroy()
  s = usage(t, store)
  t.is(s.pinnedBytes, 80_000)
  t.true(s.retiredBytes > 0)
  t.is(s.temporaries, 0)
  store.syncNow()
  t.is(usage(t, store).retiredBytes, 0)
  t.is(xs.length, 1e4)
  store.close()
  usage(t, open(t, store.path, { readOnly: true }))
})

/** A store with something synced and something newer, as a crash of the machine leaves it. */
function unsynced(t) {
  const store = freshStore(t, { syncEvery: false })
  store.vector('integer', [1], { name: 'synced' })
  store.vector('integer', [2], { name: 'ended' })
  store.syncNow()
  store.vector('integer', [3], { name: 'new' })
  store.delete('ended')
  return crashed(t, store.path)
}

test('after a machine crash unsynced objects are dropped, with a warning and a count', t => {
  const file = unsynced(t)
  const { value: store, warnings } = captureWarnings(() => open(t, file))
  t.deepEqual(
    warnings.map(w => w.code),
    ['discarded-on-recovery'],
  )
  t.regex(warnings[0].message, /1 object.*keep/)
  t.deepEqual([...store.keys()], ['synced', 'ended'])
  t.is(store.diagnose().summary.discardedRecords, 1)
  store.vector('integer', [4], { name: 'after' })
  t.is(store.diagnose().summary.discardedRecords, 1)
  t.deepEqual(captureWarnings(() => open(t, file)).warnings, [])
})

test("with unsynced: 'keep' they are kept, for good once something is changed", t => {
  const file = unsynced(t)
  const reader = open(t, file, { unsynced: 'keep', readOnly: true })
  t.deepEqual([...reader.keys()], ['synced', 'new'])
  reader.close()
  // Opened and closed without a change, nothing is decided.
  const dropping = captureWarnings(() => open(t, file)).value
  t.deepEqual([...dropping.keys()], ['synced', 'ended'])
  dropping.close()
  const { value: store, warnings } = captureWarnings(() =>
    open(t, file, { unsynced: 'keep', syncEvery: false }),
  )
  t.deepEqual(warnings, [])
  t.deepEqual([...store.keys()], ['synced', 'new'])
  t.is(store.diagnose().summary.keptRecords, 1)
  store.vector('integer', [4], { name: 'after' })
  const again = captureWarnings(() => open(t, crashed(t, file))).value
  t.deepEqual([...again.keys()], ['synced', 'new'])
  t.deepEqual(again.get('new').toArray(), [3])
  t.true(again.verify().ok)
})

test("unsynced: 'keep' changes nothing where no machine crashed", t => {
  const store = freshStore(t, { unsynced: 'keep' })
  store.vector('integer', [1], { name: 'v' })
  store.close()
  const again = openFmalloc(store.path, { unsynced: 'keep' })
  t.teardown(() => again.close())
  t.deepEqual([...again.keys()], ['v'])
  t.is(again.diagnose().summary.keptRecords, 0)
  t.is(openFmalloc(freshPath(t), { unsynced: 'drop' }).close(), undefined)
})
