// The C interface as another addon reaches it: the example addon, compiled here by the C compiler alone, works on vectors of JavaScript in
// place. What C programs can do without Node stands in crates/rfmalloc-capi/tests.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { cApi, openRef } from '../dist/index.js'
import { native } from '../dist/src/native.js'
import { build } from '../examples/addon/build.mjs'
import { inChild } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { thread } from './helpers/thread.mjs'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rfmalloc-addon-'))
const file = path.join(folder, 'scale.node')
let addon

test.before(() => {
  build(file)
  addon = require(file)
  addon.start(cApi())
})
test.after.always(() => fs.rmSync(folder, { recursive: true, force: true }))

test('13.11 another addon scales a vector in place, with two threads, and leaves NA alone', t => {
  const store = freshStore(t)
  const values = Array.from({ length: 10_001 }, (_, i) => (i % 10 === 3 ? null : i))
  const v = store.vector('numeric', values, { name: 'v' })
  const view = v.view()
  t.is(addon.scale(v.ref, 2), values.filter(x => x !== null).length)
  t.deepEqual(
    v.toArray(),
    values.map(x => (x === null ? null : 2 * x)),
  )
  t.is(view[10_000], 20_000)
})

test('temporaries, matrices and parts of lists are reached by their refs like anything else', t => {
  const store = freshStore(t)
  const temporary = store.vector('numeric', [1, 2]).copy()
  t.is(temporary.state, 'temporary')
  addon.scale(temporary.ref, 3)
  t.deepEqual(temporary.toArray(), [3, 6])
  const m = store.matrix('numeric', [2, 2], { values: [1, 2, 3, 4] })
  addon.scale(store.list([m]).get(0).ref, 10)
  t.deepEqual(m.toArray(), [10, 20, 30, 40])
})

test('what C makes and names is there for JavaScript at once, and after reopening', t => {
  const where = freshPath(t)
  const store = open(t, where)
  addon.squares(store.uuid, 'squares', 46_342)
  const squares = store.getVector('squares', 'integer')
  t.is(squares.get(46_340), 2_147_395_600)
  t.is(squares.get(46_341), null)
  store.close()
  t.is(open(t, where).getVector('squares').length, 46_342)
})

test("the library's errors reach JavaScript by the addon with its codes", t => {
  const store = freshStore(t)
  const v = store.vector('numeric', [1], { name: 'v' })
  const { ref } = v
  t.throws(() => addon.squares(store.uuid, 'v', 1), { code: 'ERR_FMALLOC_EXISTS' })
  t.throws(() => addon.squares('0'.repeat(32), 'w', 1), { code: 'ERR_FMALLOC_NOT_FOUND' })
  t.throws(() => addon.hold(store.vector('character', ['a']).ref), { code: 'ERR_FMALLOC_TYPE' })
  v.destroy()
  t.throws(() => addon.scale(ref, 2), { code: 'ERR_FMALLOC_STALE_REF' })
  store.close()
  t.throws(() => addon.scale(ref, 2), { code: 'ERR_FMALLOC_NOT_FOUND' })
})

/** An addon that took any pointer for the table would call into nowhere. */
test('what is not the table is refused by its type tag', t => {
  const foreign = native.control()
  for (const other of [foreign, {}, null, undefined, 1, cApi]) {
    t.throws(() => addon.start(other), { instanceOf: TypeError })
  }
  addon.start(cApi())
})

/** The bytes that a pin of C keeps are nobody else's: not after destroy(), not after syncs, and the address is there after close(). */
test.serial('a pin of C holds bytes as a view does', t => {
  const store = freshStore(t)
  const v = store.vector('numeric', [1, 2, 3], { name: 'v' })
  addon.hold(v.ref)
  v.set(0, 10)
  t.is(addon.peek(0), 10)
  v.destroy()
  t.true(store.diagnose().summary.pinnedBytes >= 24)
  for (let i = 0; i < 20; i++) {
    store.syncNow()
    store.vector('numeric', [7, 7, 7]).destroy()
  }
  t.deepEqual(
    [0, 1, 2].map(i => addon.peek(i)),
    [10, 2, 3],
  )
  store.close()
  t.deepEqual(
    [0, 1, 2].map(i => addon.peek(i)),
    [0, 0, 0],
  )
  addon.drop()
  t.throws(() => addon.peek(0), { instanceOf: TypeError })
})

test.serial('compaction leaves alone what C has pinned', t => {
  const store = freshStore(t)
  const first = store.vector('numeric', 50_000)
  const v = store.vector(
    'numeric',
    Array.from({ length: 1000 }, (_, i) => i),
    { name: 'v' },
  )
  addon.hold(v.ref)
  first.destroy()
  store.syncNow()
  store.compact()
  addon.scale(v.ref, 2)
  t.is(addon.peek(999), 1998)
  addon.drop()
  store.compact()
  t.is(v.get(999), 1998)
})

test('workers have the same table, and each its own vectors', async t => {
  const store = freshStore(t)
  const columns = [1, 2].map(k =>
    store.vector(
      'numeric',
      Array.from({ length: 1000 }, () => k),
    ),
  )
  const shared = store.vector('numeric', [1])
  await Promise.all(
    columns.map(({ ref }) =>
      thread(t).run(
        ({ fm, args }) => {
          const addon = process.getBuiltinModule('node:module').createRequire(args.file)(args.file)
          addon.start(fm.cApi())
          for (let i = 0; i < 10; i++) addon.scale(args.ref, 2)
          // The environment ends with a pin in it: its end gives it back.
          addon.hold(args.shared)
        },
        { file, ref, shared: shared.ref },
      ),
    ),
  )
  t.deepEqual(
    columns.map(v => v.get(999)),
    [1024, 2048],
  )
})

test('rfmalloc/include is the folder of the header, by import and by require', async t => {
  const include = require('rfmalloc/include')
  t.is((await import('rfmalloc/include')).default, include)
  t.true(fs.existsSync(path.join(include, 'rfmalloc.h')))
  t.is(fileURLToPath(import.meta.resolve('rfmalloc/include/rfmalloc.h')), path.join(include, 'rfmalloc.h'))
})

test('the demo prints what it promises', t => {
  const demo = path.join(root, 'examples/addon/demo.mjs')
  const said = execFileSync(process.execPath, [demo, file], { encoding: 'utf8' })
  t.is(said, 'scaled 2\n[ 141, null, 164 ]\n1000000 null\n')
})

/** libasan, which has to be there before anything else of the process; undefined where the compiler has none or it cannot be preloaded. */
function sanitizer() {
  if (process.platform !== 'linux') return undefined
  try {
    const [cc, ...words] = (process.env.CC || 'cc').split(' ')
    const library = execFileSync(cc, [...words, '-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
    return path.isAbsolute(library) ? fs.realpathSync(library) : undefined
  } catch {
    return undefined
  }
}

const asan = sanitizer()
const underAsan = asan === undefined ? test.skip : test

/** Node and V8 keep things to the end of the process: leaks are looked for in the C programs of crates/rfmalloc-capi instead. */
const env = { LD_PRELOAD: asan, ASAN_OPTIONS: 'detect_leaks=0:exitcode=99' }

underAsan('under AddressSanitizer: the main thread and two workers at once', async t => {
  const sane = path.join(folder, 'asan.node')
  build(sane, ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'])
  const ended = await inChild(
    t,
    async ({ fm, args, workers }) => {
      const require = process.getBuiltinModule('node:module').createRequire(args.sane)
      const store = fm.openFmalloc(args.where)
      const columns = [1, 2, 3].map(k =>
        store.vector(
          'numeric',
          Array.from({ length: 10_001 }, () => k),
        ),
      )
      const work = `
        const { workerData: { main, sane, ref } } = require('node:worker_threads')
        const addon = require(sane)
        addon.start(require(main).cApi())
        for (let i = 0; i < 20; i++) addon.scale(ref, 2)
        addon.hold(ref)`
      const others = columns.slice(1).map(
        ({ ref }) =>
          new Promise((resolve, reject) => {
            const workerData = { main: args.main, sane: args.sane, ref }
            new workers.Worker(work, { eval: true, workerData }).on('error', reject).on('exit', resolve)
          }),
      )
      const addon = require(args.sane)
      addon.start(fm.cApi())
      for (let i = 0; i < 20; i++) addon.scale(columns[0].ref, 2)
      addon.squares(store.uuid, 'squares', 50_000)
      addon.hold(columns[0].ref)
      await Promise.all(others)
      const last = columns.map(v => v.get(10_000))
      columns[0].destroy()
      store.close()
      return [...last, addon.peek(0)]
    },
    { sane, main: path.join(root, 'dist/index.cjs'), where: freshPath(t) },
    { env },
  )
  t.deepEqual(ended, [2 ** 20, 2 * 2 ** 20, 3 * 2 ** 20, 0])
})

/** A sanitizer that is not at work would pass the test above. */
underAsan('under AddressSanitizer: an addon with a state too small is found out', t => {
  const source = fs.readFileSync(path.join(root, 'examples/addon/addon.c'), 'utf8')
  const broken = source.replace('calloc(1, sizeof *state)', 'calloc(1, 1)')
  t.not(broken, source)
  const [small, bad] = ['small.c', 'small.node'].map(name => path.join(folder, name))
  fs.writeFileSync(small, broken)
  build(bad, ['-fsanitize=address'], small)
  const script = `require(${JSON.stringify(bad)}).start(require(${JSON.stringify(path.join(root, 'dist/index.cjs'))}).cApi())`
  const error = t.throws(() =>
    execFileSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  t.is(error.status, 99)
  t.regex(error.stderr, /heap-buffer-overflow/)
})

test('a ref of C and one of JavaScript are the same: uuid, id and generation', t => {
  const store = freshStore(t)
  addon.squares(store.uuid, 'squares', 10)
  const { ref } = store.getVector('squares')
  addon.hold(ref)
  addon.drop()
  t.is(openRef(ref).get(9), 81)
})
