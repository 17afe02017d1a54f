// No space: a full file system, a limit of the shell, a limit of the store. Always NO_SPACE, never a signal; what was there stays, and the
// store goes on working as soon as there is room.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { inChild } from './helpers/child.mjs'
import { freshDirectory, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

// Fills the store at args.file with vectors of 1 MiB until it refuses, and looks at everything. Runs in a child.
async function fillUp({ fm, args, fs, assert, codeOf }) {
  const store = fm.openFmalloc(args.file, args.options)
  let n = 0
  let code
  for (; n < 5000; n++) {
    code = codeOf(() => store.vector('raw', 2 ** 20, { name: `v${n}` }).fill(n % 251).length)
    if (!code.startsWith('returned')) break
  }
  assert.equal(code, 'ERR_FMALLOC_NO_SPACE')
  assert.ok(n > 2, `only ${n} fitted`)
  const right = s => {
    for (let i = 0; i < n; i++)
      assert.ok(
        s
          .getVector(`v${i}`)
          // A copy: a view would keep the bytes from reuse until a turn of the event loop collects it.
          .toTypedArray()
          .every(x => x === i % 251),
        `v${i}`,
      )
    assert.equal(s.has(`v${n}`), false)
    assert.deepEqual(s.verify(), { ok: true, faults: [] })
  }
  right(store)
  // Each kind of allocation is refused in the same way, and leaves nothing.
  const rows = store.allocations().length
  for (const attempt of [
    () => store.vector('numeric', 2 ** 21),
    () => store.getVector('v0').copy(),
    () => store.allocate(2 ** 24),
    () => store.vector('raw', 2 ** 20, { name: 'v0', replace: true }),
  ]) {
    assert.equal(codeOf(attempt), 'ERR_FMALLOC_NO_SPACE')
  }
  assert.equal(store.allocations().length, rows)
  right(store)
  // Elements can still be written, and space that is freed can be used.
  store.getVector('v0').set(0, 77).set(0, 0)
  assert.ok(store.delete('v1'))
  store.syncNow()
  store.vector('raw', 2 ** 20, { name: 'v1' }).fill(1)
  right(store)
  store.syncNow()
  store.close()
  const { size } = fs.statSync(args.file)
  const again = fm.openFmalloc(args.file)
  right(again)
  again.close()
  return { n, size }
}

test('RLIMIT_FSIZE exceeded: NO_SPACE, nothing lost, free space still usable', async t => {
  const file = freshPath(t)
  const { n, size } = await inChild(t, fillUp, { file, options: {} }, { shell: 'ulimit -f 65536' })
  t.true(n > 20 && size <= 64 * 2 ** 20, `${n} vectors, ${size} bytes`)
  const store = open(t, file)
  t.is(store.size, n)
  t.is(store.vector('raw', 2 ** 20, { name: 'more' }).length, 2 ** 20, 'without the limit it grows on')
})

test('RLIMIT_FSIZE too small to create a store: NO_SPACE and no file', async t => {
  const file = freshPath(t)
  const code = await inChild(
    t,
    ({ fm, args, codeOf }) => codeOf(() => fm.openFmalloc(args.file)),
    { file },
    { shell: 'ulimit -f 8' },
  )
  t.is(code, 'ERR_FMALLOC_NO_SPACE')
  t.deepEqual(fs.readdirSync(path.dirname(file)), [])
})

test('sizeGb exceeded: NO_SPACE, nothing lost, free space still usable', async t => {
  const { n, size } = await inChild(t, fillUp, { file: freshPath(t), options: { sizeGb: 1 / 32 } })
  t.true(n > 20 && size <= 32 * 2 ** 20, `${n} vectors, ${size} bytes`)
})

test('maxSize exceeded: NO_SPACE, nothing lost, free space still usable', async t => {
  const { n, size } = await inChild(t, fillUp, { file: freshPath(t), options: { maxSize: '24 MiB' } })
  t.true(n > 12 && size <= 24 * 2 ** 20, `${n} vectors, ${size} bytes`)
})

test('2.11 out of space: the error has the byte count, smaller requests succeed', t => {
  const store = freshStore(t, 1 / 64)
  refuses(t, () => store.vector('numeric', 2 ** 22), 'NO_SPACE', /33554432/)
  t.is(store.vector('numeric', 1000).length, 1000)
})

/** Mounts a tmpfs of 32 MiB for the test, or says why not. */
function smallDisk(t) {
  const directory = freshDirectory(t)
  if (process.getuid?.() !== 0) return { why: 'mounting needs root' }
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', directory], { stdio: 'pipe' })
  } catch (error) {
    return { why: `mount failed: ${String(error.stderr).trim()}` }
  }
  t.teardown(() => execFileSync('umount', [directory]))
  return { directory }
}

test('a full tmpfs: NO_SPACE, nothing lost, free space still usable', async t => {
  const { directory, why } = smallDisk(t)
  if (why !== undefined) {
    t.log(`skipped: ${why}`)
    return t.pass()
  }
  const { n } = await inChild(t, fillUp, { file: path.join(directory, 'store.fm'), options: {} })
  t.true(n > 12, `${n} vectors`)
})

test('a disk filled by others: NO_SPACE, and the store goes on when they leave', async t => {
  const { directory, why } = smallDisk(t)
  if (why !== undefined) {
    t.log(`skipped: ${why}`)
    return t.pass()
  }
  const facts = await inChild(
    t,
    ({ fm, args, fs, assert, codeOf }) => {
      const store = fm.openFmalloc(args.file)
      const v = store.vector('raw', 2 ** 22, { name: 'v' })
      const others = `${args.file}.others`
      const fd = fs.openSync(others, 'w')
      try {
        for (;;) fs.writeSync(fd, Buffer.alloc(65536, 1))
      } catch (error) {
        assert.equal(error.code, 'ENOSPC')
      }
      assert.equal(
        codeOf(() => store.vector('raw', 2 ** 23)),
        'ERR_FMALLOC_NO_SPACE',
      )
      // Every page of a vector that was handed out has its place on the disk: writing to it cannot fail now.
      v.fill(5)
      v.view().fill(6)
      store.syncNow()
      const free = fs.statfsSync(args.file).bavail
      assert.equal(
        codeOf(() => fm.openFmalloc(`${args.file}.2`)),
        'ERR_FMALLOC_NO_SPACE',
      )
      assert.ok(fs.statfsSync(args.file).bavail >= free, 'a refused creation gives its space back')
      assert.equal(fs.existsSync(`${args.file}.2`), false)
      fs.closeSync(fd)
      fs.rmSync(others)
      store.vector('raw', 2 ** 23, { name: 'w' }).fill(7)
      const ok = store.verify().ok
      store.close()
      const again = fm.openFmalloc(args.file)
      return {
        ok,
        v: again
          .getVector('v')
          .view()
          .every(x => x === 6),
        w: again
          .getVector('w')
          .view()
          .every(x => x === 7),
      }
    },
    { file: path.join(directory, 'store.fm') },
  )
  t.deepEqual(facts, { ok: true, v: true, w: true })
})

test('a refused growth leaves the file no larger than it was', t => {
  const store = freshStore(t, { maxSize: '32 MiB' })
  store.vector('raw', 2 ** 20, { name: 'v' })
  const { size } = fs.statSync(store.path)
  for (let i = 0; i < 20; i++) refuses(t, () => store.vector('raw', 2 ** 30), 'NO_SPACE')
  t.is(fs.statSync(store.path).size, size)
})

test('a store at its limit takes small vectors until it is full, and every one of them is there', t => {
  const store = freshStore(t, { maxSize: '2 MiB' })
  let n = 0
  const error = t.throws(() => {
    for (; n < 100_000; n++) store.vector('integer', [n, n], { name: `v${n}` })
  })
  t.is(error.code, 'ERR_FMALLOC_NO_SPACE')
  t.true(n > 100)
  store.close()
  const again = open(t, store.path)
  t.is(again.size, n)
  for (let i = 0; i < n; i++) if (again.getVector(`v${i}`).get(1) !== i) t.fail(`v${i}`)
  t.true(again.verify().ok)
})

test('every act on a full disk that needs space is refused with figures, and everything else goes on', async t => {
  const { directory, why } = smallDisk(t)
  if (why !== undefined) {
    t.log(`skipped: ${why}`)
    return t.pass()
  }
  const facts = await inChild(
    t,
    async ({ fm, args, fs, assert, codeOf }) => {
      const store = fm.openFmalloc(args.file)
      const others = `${args.file}.others`
      const long = 'n'.repeat(4000)
      store.vector('numeric', [1, 2, 3], { name: 'old' })
      store.vector('numeric', 2e5, { name: 'large' }).fill(4)
      store.syncNow()
      const temporary = store.vector('integer', 1000).fill(5).copy()
      // What the disk and the file have left, to the last 64 bytes.
      const fd = fs.openSync(others, 'w')
      try {
        for (;;) fs.writeSync(fd, Buffer.alloc(65536, 1))
      } catch (error) {
        assert.equal(error.code, 'ENOSPC')
      }
      const held = []
      for (const n of [2 ** 16, 2 ** 10, 2 ** 3]) {
        while (codeOf(() => held.push(store.vector('raw', n))).startsWith('returned'));
      }
      const details = attempt => {
        try {
          attempt()
        } catch (error) {
          assert.equal(error.code, 'ERR_FMALLOC_NO_SPACE')
          return error
        }
        assert.fail(`${attempt} found space`)
      }
      for (const attempt of [
        () => store.vector('numeric', 1e6),
        () => temporary.keep(long),
        () => store.getVector('old').keep(long),
        () => store.vector('numeric', [9], { name: 'old', replace: true }),
      ]) {
        const error = details(attempt)
        const { nbytes, available, path } = error.details
        assert.ok(nbytes > 0 && available >= 0 && path === args.file, JSON.stringify(error.details))
        assert.match(error.message, /destroy objects/)
      }
      assert.deepEqual(fs.readdirSync(args.directory).sort(), ['store.fm', 'store.fm.others'])
      assert.equal(temporary.state, 'temporary')
      assert.deepEqual([...store.getVector('old').toTypedArray()], [1, 2, 3])
      // Without space: elements, syncs, deaths.
      store.getVector('large').fill(6)
      await store.sync()
      held.splice(0).forEach(v => v.destroy())
      assert.ok(store.delete('large'))
      await store.sync()
      temporary.keep('kept')
      store.getVector('old').keep(long)
      const ok = store.verify().ok
      store.close()
      fs.closeSync(fd)
      const again = fm.openFmalloc(args.file)
      return {
        ok,
        renamed: again.has(long),
        gone: again.has('large'),
        kept: again.getVector('kept').get(999),
      }
    },
    { file: path.join(directory, 'store.fm'), directory },
  )
  t.deepEqual(facts, { ok: true, renamed: true, gone: false, kept: 5 })
})
