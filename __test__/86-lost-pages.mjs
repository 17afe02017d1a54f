// Another program cuts the file of an open store: the call that touches what is gone gets an error, a raw view reads zeros, the process
// lives, nothing is written any more. Everything runs in children, since without the containment they die of SIGBUS.

import test from 'ava'
import { inChild, start } from './helpers/child.mjs'
import { freshPath } from './helpers/files.mjs'

test('get on lost elements throws, before and after, and intact ones can be read', async t => {
  const file = freshPath(t)
  await inChild(
    t,
    ({ fm, args, fs, util, assert, codeOf }) => {
      const store = fm.openFmalloc(args.file)
      const small = store.vector('integer', [1, null, 3], { name: 'small' })
      const kinds = {
        numeric: 2.5,
        integer: 7,
        logical: true,
        complex: { re: 1, im: 2 },
        raw: 9,
      }
      const vectors = Object.entries(kinds).map(([type, value]) =>
        store.vector(type, 2 ** 20, { name: type }).fill(value),
      )
      const other = fm.openFmalloc(args.file + '.other')
      const untouched = other.vector('numeric', 2 ** 18, { name: 'v' }).fill(4)
      // Warm: the optimised code must see it too.
      for (const v of vectors)
        for (let k = 0; k < 3; k++) for (let i = 0; i < 2 ** 16; i++) assert.notEqual(v.get(i), null)
      store.syncNow()
      const raw = vectors[0].view()
      fs.truncateSync(args.file, 2 ** 18)
      const targets = [Float64Array, Int32Array, Int32Array, Float64Array, Uint8Array].map(A => new A(8))
      for (const [k, v] of vectors.entries()) {
        for (const act of [
          () => v.get(2 ** 20 - 1),
          () => v.at(-1),
          () => v.get(2 ** 19),
          () => [...v.subarray(2 ** 20 - 4)],
          () => v.subarray(2 ** 20 - 4).toArray(),
          () => v.view(),
          () => v.toTypedArray(),
          () => v.equals(v),
          () => v.readInto(targets[k], 2 ** 19),
        ]) {
          assert.equal(codeOf(act), 'ERR_FMALLOC_IO', `${v.type} ${act}`)
        }
      }
      assert.deepEqual(small.toArray(), [1, null, 3])
      assert.equal(small.view()[0], 1)
      assert.equal(raw[2 ** 20 - 1], 0)
      assert.equal(
        raw.every(x => x === 0 || x === 2.5),
        true,
      )
      let error
      try {
        vectors[1].get(5e5)
      } catch (e) {
        error = e
      }
      assert.equal(error.details.nbytes, 2 ** 18)
      assert.equal(error.details.offset, 2 ** 18)
      assert.match(error.message, /was cut to 262144 bytes while it was open.*restore it from a copy/)
      // Changes are refused, wherever.
      for (const act of [
        () => small.set(0, 5),
        () => small.write([1, 2, 3]),
        () => small.fill(0),
        () => small.keep('other'),
        () => small.destroy(),
        () => small.copy(),
        () => store.vector('integer', [1]),
        () => store.vector('integer', 1e6),
        () => store.syncNow(),
        () => store.delete('small'),
        () => store.getVector('small'),
        () => store.verify(),
        () => [...store.keys()],
      ]) {
        assert.equal(codeOf(act), 'ERR_FMALLOC_POISONED', String(act))
      }
      assert.equal(small.get(0), 1)
      // Printing never throws.
      assert.equal(typeof `${small} ${vectors[0]}`, 'string')
      assert.match(util.inspect([store, small, vectors[2]]), /small/)
      assert.equal(
        codeOf(() => store.close()),
        'ERR_FMALLOC_POISONED',
      )
      assert.equal(store.closed, true)
      assert.equal(
        codeOf(() => small.get(0)),
        'ERR_FMALLOC_CLOSED',
      )
      assert.equal(raw.length === 0 || raw[0] === 0, true)
      assert.equal(fs.statSync(args.file).size, 2 ** 18)
      // The lock is free, and the file is as the other program left it.
      assert.equal(
        codeOf(() => fm.openFmalloc(args.file)),
        'ERR_FMALLOC_TRUNCATED',
      )
      untouched.set(0, 5)
      other.vector('integer', [1], { name: 'after' })
      other.syncNow()
      assert.equal(other.verify().ok, true)
      other.close()
    },
    { file },
  )
  t.pass()
})

test('a loop over a raw view of a cut file reads zeros; a set that meets lost elements throws', async t => {
  const file = freshPath(t)
  await inChild(
    t,
    ({ fm, args, fs, assert, codeOf }) => {
      const store = fm.openFmalloc(args.file)
      const v = store.vector('numeric', 2 ** 20, { name: 'v' }).fill(1)
      const xs = v.view()
      const sum = () => {
        let s = 0
        for (let i = 0; i < xs.length; i++) s += xs[i]
        return s
      }
      for (let k = 0; k < 5; k++) assert.equal(sum(), 2 ** 20)
      for (let k = 0; k < 5; k++) for (let i = 0; i < 2 ** 16; i++) v.set(i, 1)
      fs.truncateSync(args.file, 2 ** 20)
      const left = sum()
      assert.ok(left > 0 && left < 2 ** 17, String(left))
      // A store into a lost page stays in this process.
      xs[2 ** 20 - 1] = 5
      assert.equal(xs[2 ** 20 - 1], 5)
      assert.equal(
        codeOf(() => v.get(2 ** 20 - 1)),
        'ERR_FMALLOC_IO',
      )
      assert.equal(
        codeOf(() => v.set(2 ** 20 - 2, 5)),
        'ERR_FMALLOC_IO',
      )
      assert.equal(
        codeOf(() => v.set(0, 5)),
        'ERR_FMALLOC_POISONED',
      )
      assert.equal(v.get(0), 1)
      assert.equal(fs.statSync(args.file).size, 2 ** 20)
      assert.equal(
        codeOf(() => store.close()),
        'ERR_FMALLOC_POISONED',
      )
    },
    { file },
  )
  await inChild(
    t,
    ({ fm, args, fs, assert, codeOf }) => {
      // The first thing that touches the lost page is a set, in code that is hot.
      const store = fm.openFmalloc(args.file + '2')
      const v = store.vector('integer', 2 ** 20, { name: 'v' })
      const put = (from, to) => {
        for (let i = from; i < to; i++) v.set(i, i)
      }
      for (let k = 0; k < 20; k++) put(0, 2 ** 14)
      fs.truncateSync(args.file + '2', 2 ** 20)
      assert.equal(
        codeOf(() => put(0, 2 ** 20)),
        'ERR_FMALLOC_IO',
      )
      assert.equal(
        codeOf(() => store.close()),
        'ERR_FMALLOC_POISONED',
      )
    },
    { file },
  )
  t.pass()
})

test('the catalog is cut off: names and new vectors are errors, never "not there"', async t => {
  for (const at of [0, 65536, 100_000]) {
    const file = freshPath(t)
    await inChild(
      t,
      ({ fm, args, fs, assert, codeOf }) => {
        const made = fm.openFmalloc(args.file)
        for (let i = 0; i < 400; i++) made.vector('integer', [i], { name: `v${i}` })
        made.close()
        const store = fm.openFmalloc(args.file)
        fs.truncateSync(args.file, args.at)
        for (const act of [
          () => store.get('v399'),
          () => store.has('nothing'),
          () => store.vector('integer', [1], { name: 'new' }),
          () => [...store.keys()],
          () => store.allocations(),
          () => store.syncNow(),
        ]) {
          assert.match(codeOf(act), /^ERR_FMALLOC_(IO|POISONED)$/, String(act))
        }
        assert.equal(typeof store.size, 'number')
        assert.equal(
          codeOf(() => store.close()),
          'ERR_FMALLOC_POISONED',
        )
        assert.equal(fs.statSync(args.file).size, args.at)
      },
      { file, at },
    )
  }
  t.pass()
})

test('close tells of a loss that no call has told of, and lets the file go all the same', async t => {
  const file = freshPath(t)
  await inChild(
    t,
    ({ fm, args, fs, assert, codeOf }) => {
      const store = fm.openFmalloc(args.file)
      const xs = store
        .vector('numeric', 2 ** 20, { name: 'v' })
        .fill(1)
        .view()
      store.syncNow()
      fs.truncateSync(args.file, 2 ** 20)
      assert.equal(xs[2 ** 20 - 1], 0)
      assert.equal(
        codeOf(() => store.close()),
        'ERR_FMALLOC_IO',
      )
      assert.equal(store.closed, true)
      assert.equal(
        codeOf(() => store.close()),
        'returned undefined',
      )
      assert.equal(
        codeOf(() => fm.openFmalloc(args.file)),
        'ERR_FMALLOC_TRUNCATED',
      )
    },
    { file },
  )
  t.pass()
})

test('worker threads: the one that reads and the others get the error', async t => {
  const file = freshPath(t)
  await inChild(
    t,
    async ({ fm, args, fs, assert, workers, codeOf }) => {
      const store = fm.openFmalloc(args.file)
      const v = store.vector('numeric', 2 ** 21, { name: 'v' }).fill(1)
      const worker = new workers.Worker(
        `import { parentPort, workerData } from 'node:worker_threads'
        const fm = await import(workerData.url)
        const v = fm.openRef(workerData.ref)
        parentPort.postMessage('ready')
        let code = 'none', sum = 0
        for (;;) {
          try {
            // Until the file is cut under it: ones or an error, never zeros.
            for (let i = 0; i < v.length; i += 7) if (v.get(i) !== 1) throw new Error('a zero without an error at ' + i)
          } catch (e) {
            code = e.code ?? e.message
            break
          }
        }
        parentPort.postMessage(code)
        await new Promise(resolve => parentPort.once('message', resolve))`,
        { eval: true, workerData: { url: args.url, ref: v.ref } },
      )
      const next = () =>
        new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      assert.equal(await next(), 'ready')
      const answer = next()
      fs.truncateSync(args.file, 2 ** 20)
      assert.equal(await answer, 'ERR_FMALLOC_IO')
      assert.equal(
        codeOf(() => v.get(2 ** 21 - 1)),
        'ERR_FMALLOC_IO',
      )
      assert.equal(v.get(0), 1)
      assert.equal(
        codeOf(() => store.syncNow()),
        'ERR_FMALLOC_POISONED',
      )
      worker.postMessage('end')
      await new Promise(resolve => worker.once('exit', resolve))
      assert.equal(
        codeOf(() => store.close()),
        'ERR_FMALLOC_POISONED',
      )
    },
    { file, url: new URL('../dist/index.js', import.meta.url).href },
  )
  t.pass()
})

test('a plain mapped file that is cut', async t => {
  const file = freshPath(t, 'plain')
  await inChild(
    t,
    ({ fm, args, fs, assert, codeOf }) => {
      fs.writeFileSync(args.file, new Uint8Array(2 ** 20).fill(7))
      const v = fm.createMmapVector(args.file, null, { type: 'raw' })
      const w = fm.createMmapVector(args.file, null, { type: 'raw', readOnly: true })
      assert.equal(v.get(2 ** 20 - 1), 7)
      assert.equal(w.get(2 ** 20 - 1), 7)
      const xs = v.view()
      fs.truncateSync(args.file, 4096)
      assert.equal(
        codeOf(() => v.get(2 ** 20 - 1)),
        'ERR_FMALLOC_IO',
      )
      assert.equal(
        codeOf(() => v.set(2 ** 20 - 1, 1)),
        'ERR_FMALLOC_IO',
      )
      assert.equal(
        codeOf(() => v.set(1, 1)),
        'ERR_FMALLOC_POISONED',
      )
      assert.equal(
        codeOf(() => w.get(5000)),
        'ERR_FMALLOC_IO',
      )
      assert.equal(v.get(4095), 7)
      assert.equal(xs[5000], 0)
      assert.equal(v.destroy(), true)
    },
    { file },
  )
  t.pass()
})

test('switched off, the same cut ends the process', async t => {
  const body = ({ fm, args, fs }) => {
    const store = fm.openFmalloc(args.file)
    const v = store.vector('numeric', 2 ** 20, { name: 'v' }).fill(1)
    fs.truncateSync(args.file, 2 ** 20)
    fs.writeSync(2, 'here')
    try {
      v.get(2 ** 20 - 1)
    } catch {
      process.exit(3)
    }
  }
  const run = env => start(t, body, { file: freshPath(t) }, { env }).ended
  const off = await run({ RFMALLOC_SIGBUS: 'off' })
  t.is(off.signal, 'SIGBUS', off.stderr)
  t.regex(off.stderr, /here/)
  t.is((await run({})).code, 3)
})
