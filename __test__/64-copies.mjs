// Two of everything: two copies of the addon in one process, two names of one file, two files of one name.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { inChild, start } from './helpers/child.mjs'
import { freshDirectory, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The package once more, as a second dependency would bring it: its own JavaScript and its own addon. */
function secondCopy(t) {
  const folder = path.join(freshDirectory(t), 'rfmalloc')
  for (const part of ['dist', 'native', 'package.json'])
    fs.cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true })
  return pathToFileURL(path.join(folder, 'dist/index.js')).href
}

test('two copies of the addon in one process: the second is locked out like a stranger, and both work on stores of their own', async t => {
  const args = {
    copy: secondCopy(t),
    files: [freshPath(t), freshPath(t), freshPath(t)],
  }
  const turns = await inChild(
    t,
    async ({ fm, args, assert, codeOf }) => {
      const other = await import(args.copy)
      assert.notEqual(other.openFmalloc, fm.openFmalloc)
      const [shared, ours, theirs] = args.files
      const a = fm.openFmalloc(ours)
      const b = other.openFmalloc(theirs)
      const v = a.vector('integer', [1, 2, 3], { name: 'v' })
      const w = b.vector('integer', [4, 5, 6], { name: 'w' })
      for (let n = 0; n < 100; n++) {
        const [first, second] = n % 2 === 0 ? [fm, other] : [other, fm]
        const store = first.openFmalloc(shared)
        assert.equal(store.size, n)
        store.vector('integer', [n], { name: `v${n}` })
        const view = store.getVector(`v${n}`).view()
        for (const options of [{}, { readOnly: true }, { create: false }, { lockTimeout: 2 }]) {
          try {
            second.openFmalloc(shared, options)
            assert.fail('not refused')
          } catch (error) {
            assert.equal(error.code, 'ERR_FMALLOC_LOCKED')
            assert.equal(error.details.pid, process.pid)
          }
        }
        assert.equal(
          codeOf(() => second.openRef(store.getVector(`v${n}`).ref)),
          'ERR_FMALLOC_LOCKED',
        )
        view[0] += 1
        store.close()
        const again = second.openFmalloc(shared)
        assert.equal(again.getVector(`v${n}`).get(0), n + 1)
        again.getVector(`v${n}`).set(0, n)
        again.close()
      }
      // What belongs to one copy is nothing to the other.
      assert.equal(
        codeOf(() => b.set('v', v)),
        'ERR_FMALLOC_ARGUMENT',
      )
      const read = [fm.openFmalloc(shared, { readOnly: true }), other.openFmalloc(shared, { readOnly: true })]
      for (const store of read) assert.deepEqual(store.getVector('v99').toArray(), [99])
      assert.deepEqual([...v.toArray(), ...w.toArray()], [1, 2, 3, 4, 5, 6])
      assert.ok([a, b, ...read].every(store => store.verify().ok))
      return read[0].size
    },
    args,
  )
  t.is(turns, 100)
  for (const [file, name] of [
    [args.files[1], 'v'],
    [args.files[2], 'w'],
  ])
    t.is(open(t, file).getVector(name).length, 3)
})

test('two copies in different workers, each loaded, used and ended again and again', async t => {
  const counts = await inChild(
    t,
    async ({ args, workers, fm }) => {
      const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then(fm => {
        const own = fm.openFmalloc(workerData.own)
        own.vector('integer', [own.size], { name: 'v' + own.size }).view()
        const store = fm.openFmalloc(workerData.shared, { lockTimeout: 60000 })
        store.vector('integer', [1], { name: 'v' + store.size }).view()
        store.close()
        parentPort.postMessage(own.size)
      })`
      const sizes = []
      for (let n = 0; n < 6; n++) {
        const ends = [args.here, args.copy].map(
          (url, i) =>
            new Promise((resolve, reject) => {
              const workerData = { url, own: args.own[i], shared: args.shared }
              const worker = new workers.Worker(code, { eval: true, workerData })
              let size
              worker.once('message', value => (size = value))
              worker.once('error', reject)
              worker.once('exit', () => resolve(size))
            }),
        )
        sizes.push(...(await Promise.all(ends)))
      }
      return [sizes, fm.openFmalloc(args.shared, { readOnly: true }).size]
    },
    {
      here: new URL('../dist/index.js', import.meta.url).href,
      copy: secondCopy(t),
      own: [freshPath(t), freshPath(t)],
      shared: freshPath(t),
    },
  )
  t.deepEqual(counts, [[1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6], 12])
})

/** A process that holds `file` until told to end. */
async function holder(t, file) {
  const child = start(
    t,
    async ({ fm, args, say, hear }) => {
      globalThis.store = fm.openFmalloc(args.file)
      await say('open')
      await hear()
    },
    { file },
  )
  t.is(await child.hear(), 'open')
  return child
}

test('a hard link, a link to a link and a linked directory do not get around the lock', async t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  store.close()
  const folder = path.dirname(store.path)
  const names = ['hard.fm', 'soft.fm', 'softer.fm', 'linked/store.fm', 'linked/../hard.fm'].map(name =>
    path.join(folder, name),
  )
  fs.linkSync(store.path, names[0])
  fs.symlinkSync('hard.fm', names[1])
  fs.symlinkSync(names[1], names[2])
  fs.symlinkSync('.', path.join(folder, 'linked'))
  for (const held of [store.path, ...names]) {
    const child = await holder(t, held)
    for (const name of [store.path, ...names]) {
      refuses(t, () => openFmalloc(name), 'LOCKED')
      refuses(t, () => openFmalloc(name, { readOnly: true }), 'LOCKED')
    }
    child.send('end')
    t.is((await child.ended).code, 0)
  }
})

test('another store renamed over an open one: sync names the path, the old goes on, the name gives the new', async t => {
  const old = freshStore(t)
  const v = old.vector('integer', [1, 2, 3], { name: 'v' })
  const xs = v.view()
  const other = freshStore(t)
  other.vector('integer', [9], { name: 'v' })
  other.close()
  fs.renameSync(other.path, old.path)

  const error = refuses(t, () => old.syncNow(), 'IO')
  t.true(error.message.includes(old.path), error.message)
  t.is(error.details.path, old.path)
  await rejects(t, () => old.sync(), 'IO')
  const now = open(t, old.path)
  t.is(now.uuid, other.uuid)
  t.deepEqual(now.getVector('v').toArray(), [9])
  // Both at once, each its own.
  xs[0] = 7
  old.vector('integer', [5], { name: 'w' })
  now.vector('integer', [6], { name: 'w' })
  t.deepEqual([v.get(0), old.getVector('w').get(0), now.getVector('w').get(0)], [7, 5, 6])
  t.deepEqual(old.verify(), { ok: true, faults: [] })
  now.syncNow()
  old.close()
  const held = await inChild(t, ({ fm, args, codeOf }) => codeOf(() => fm.openFmalloc(args.file)), {
    file: now.path,
  })
  t.is(held, 'ERR_FMALLOC_LOCKED', "the old one's close leaves the new one's lock")
  t.is(now.getVector('w').get(0), 6)
})

test('an open store whose file was unlinked goes on; its path is free for another', t => {
  const old = freshStore(t)
  const v = old.vector('integer', [1, 2, 3], { name: 'v' })
  fs.unlinkSync(old.path)
  old.syncNow()
  refuses(t, () => openFmalloc(old.path, { create: false }), 'NOT_FOUND')
  const now = open(t, old.path)
  t.true(now.created)
  t.not(now.uuid, old.uuid)
  now.vector('integer', [4], { name: 'v' })
  v.set(0, 7)
  old.vector('numeric', 1e5, { name: 'w' })
  refuses(t, () => old.syncNow(), 'IO')
  t.deepEqual([v.toArray(), now.getVector('v').toArray()], [[7, 2, 3], [4]])
  old.close()
  t.deepEqual(now.verify(), { ok: true, faults: [] })
  now.close()
  t.deepEqual(open(t, now.path).getVector('v').toArray(), [4])
})

test('a file moved away while it is open is found under its new name, and still is one mapping', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  const moved = `${store.path}.moved`
  fs.renameSync(store.path, moved)
  store.syncNow()
  const again = open(t, moved)
  again.getVector('v').set(0, 2)
  t.is(store.getVector('v').get(0), 2)
  store.close()
  again.syncNow()
  t.is(again.getVector('v').get(0), 2)
})

test('a hundred files replaced under their openers: each opener has a whole store, never a mixture', async t => {
  const folder = freshDirectory(t)
  const file = path.join(folder, 'store.fm')
  const child = start(
    t,
    async ({ fm, args, fs, path }) => {
      // Makes whole stores elsewhere and puts each in the place of the last.
      for (let n = 1; n <= 100; n++) {
        const next = path.join(args.folder, `next-${n}`)
        const store = fm.openFmalloc(next)
        store.vector('integer', 1000, { name: 'v' }).fill(n)
        store.vector('integer', [n], { name: 'n' })
        store.close()
        fs.renameSync(next, args.file)
      }
    },
    { folder, file },
  )
  let seen = 0
  let ended = false
  void child.ended.then(() => (ended = true))
  while (!ended) {
    let store
    try {
      store = openFmalloc(file, { readOnly: true })
    } catch (error) {
      if (error.code !== 'ERR_FMALLOC_NOT_FOUND' && error.code !== 'ERR_FMALLOC_LOCKED') throw error
    }
    if (store !== undefined) {
      const n = store.getVector('n').get(0)
      t.true(n >= seen)
      seen = n
      if (
        !store
          .getVector('v')
          .view()
          .every(x => x === n)
      )
        t.fail(`store ${n} is mixed`)
      t.true(store.verify().ok)
      store.close()
    }
    await new Promise(resolve => setImmediate(resolve))
  }
  t.is((await child.ended).code, 0)
  t.is(open(t, file).getVector('n').get(0), 100)
})

/** Binds `from` to `to` until the test ends. */
function bind(t, from, to) {
  execFileSync('mount', ['--bind', from, to])
  t.teardown(() => execFileSync('umount', ['--lazy', to]))
}

/** Whether this process may bind one place to another. */
function mayBind() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rfmalloc-bind-'))
  try {
    execFileSync('mount', ['--bind', folder, folder], { stdio: 'ignore' })
    execFileSync('umount', [folder], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const boundTest = mayBind()
  ? test.serial
  : (title, body) => test.serial.skip(`${title} (skipped: binding mounts needs root)`, body)

boundTest('a store reached through a bound directory and a bound file is one store', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  const elsewhere = freshDirectory(t)
  const file = path.join(elsewhere, 'file.fm')
  const folder = path.join(elsewhere, 'folder')
  fs.writeFileSync(file, '')
  fs.mkdirSync(folder)
  bind(t, path.dirname(store.path), folder)
  bind(t, store.path, file)
  for (const name of [file, path.join(folder, 'store.fm')]) {
    const again = open(t, name)
    t.false(again.created)
    again.getVector('v').set(0, 7)
    t.is(v.get(0), 7)
    v.set(0, 1)
    const held = await inChild(t, ({ fm, args, codeOf }) => codeOf(() => fm.openFmalloc(args.name)), { name })
    t.is(held, 'ERR_FMALLOC_LOCKED')
    again.close()
  }
  store.syncNow()
  store.close()
  t.deepEqual(open(t, file, { readOnly: true }).getVector('v').toArray(), [1, 2, 3])
})

boundTest(
  'another file bound over the path of an open store: sync names the path, the name gives the other',
  t => {
    const old = freshStore(t)
    const v = old.vector('integer', [1], { name: 'v' })
    const other = freshStore(t)
    other.vector('integer', [9], { name: 'v' })
    other.close()
    bind(t, other.path, old.path)
    const error = refuses(t, () => old.syncNow(), 'IO')
    t.true(error.message.includes(old.path), error.message)
    const now = open(t, old.path)
    t.is(now.uuid, other.uuid)
    now.getVector('v').set(0, 8)
    t.is(v.get(0), 1)
    old.close()
    t.deepEqual(now.verify(), { ok: true, faults: [] })
    now.close()
  },
)
