// Above every 32-bit number: more than 2^31 and 2^32 elements, more than 4 GiB, and the windows across those boundaries. Only the places
// that are looked at are touched. Runs in processes of its own; the same file is run under every supported Node.

import fs from 'node:fs'
import os from 'node:os'
import test from 'ava'
import { inChild } from './helpers/child.mjs'
import { freeBytes, freshPath, freshStore } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

const GIB = 2 ** 30
const NEEDED = 12 * GIB

/** A path for a huge store, or undefined (said in the log) where the disk is too small. */
function roomy(t) {
  const free = freeBytes(os.tmpdir())
  if (free >= NEEDED) return freshPath(t)
  t.log(`skipped: ${Math.floor(free / GIB)} GiB are free, ${NEEDED / GIB} are needed`)
  t.pass()
}

test.serial(
  'raw above 2^32 elements: every access across 2^31, 2^32 and the 4 GiB boundary of the file',
  async t => {
    t.timeout(300_000)
    const file = roomy(t)
    if (file === undefined) return
    const facts = await inChild(
      t,
      ({ fm, args, assert, codeOf }) => {
        const length = 2 ** 32 + 2 ** 20 + 3
        const store = fm.openFmalloc(args.file)
        const v = store.vector('raw', length, { name: 'huge' })
        assert.equal(v.length, length)
        assert.equal(v.nbytes, length)
        // The element that lies at 4 GiB of the file, and the boundaries of the numbers.
        const inFile = 2 ** 32 - store.allocations()[0].payloadOffset
        const edges = [
          0,
          2 ** 30,
          2 ** 31 - 1,
          2 ** 31,
          2 ** 31 + 1,
          inFile - 1,
          inFile,
          inFile + 1,
          3 * 2 ** 30,
          2 ** 32 - 1,
          2 ** 32,
          2 ** 32 + 1,
          length - 1,
        ]
        for (const [n, i] of edges.entries()) v.set(i, n + 1)
        for (const [n, i] of edges.entries()) assert.equal(v.get(i), n + 1, `element ${i}`)
        assert.equal(v.at(-1), edges.length)
        for (const i of [length, length + 1, 2 ** 33])
          assert.equal(
            codeOf(() => v.get(i)),
            'ERR_FMALLOC_OUT_OF_BOUNDS',
          )

        // Bulk reads and writes across the boundaries.
        for (const at of [2 ** 31, 2 ** 32, inFile]) {
          const pattern = Uint8Array.from({ length: 64 }, (_, i) => 200 + (i % 50))
          v.write(pattern, at - 32)
          const back = new Uint8Array(64)
          assert.equal(v.readInto(back, at - 32), 64)
          assert.deepEqual(back, pattern)
          const part = v.subarray(at - 32, at + 32)
          assert.deepEqual(part.toTypedArray(), pattern)
          assert.deepEqual(part.view(), pattern)
          part.view()[32] = 99
          assert.equal(v.get(at), 99)
          const [left, right] = [v.get(at - 33), v.get(at + 32)]
          part.fill(5)
          assert.deepEqual([v.get(at - 33), v.get(at + 32)], [left, right])
          assert.deepEqual([v.get(at - 32), v.get(at + 31)], [5, 5])
          assert.deepEqual(v.slice(at - 1, at + 1).toArray(), [5, 5])
          assert.equal(part.ref.start, at - 32)
          assert.deepEqual(fm.openRef(part.ref).toTypedArray(), part.toTypedArray())
        }
        assert.equal(
          codeOf(() => v.view()),
          'ERR_FMALLOC_TOO_LARGE',
        )
        assert.equal(
          codeOf(() => v.toArray()),
          'ERR_FMALLOC_TOO_LARGE',
        )
        assert.equal(
          codeOf(() => v.write(new Uint8Array(4), length - 3)),
          'ERR_FMALLOC_OUT_OF_BOUNDS',
        )

        // The windows cover it exactly, one of them across each boundary.
        for (const bytes of ['1 GiB', 2 ** 30 - 4096, '192 MiB']) {
          let at = 0
          for (const w of v.windows({ bytes })) {
            assert.equal(w.ref.start, at)
            const xs = w.view()
            assert.equal(xs.length, w.length)
            xs[0] = 11
            xs[xs.length - 1] = 12
            assert.equal(v.get(at), w.length === 1 ? 12 : 11)
            assert.equal(v.get(at + w.length - 1), 12)
            at += w.length
          }
          assert.equal(at, length)
        }
        v.set(2 ** 32, 42)
        store.close()
        const again = fm.openFmalloc(args.file, { readOnly: true })
        const huge = again.getVector('huge', 'raw')
        assert.equal(huge.length, length)
        const value = huge.get(2 ** 32)
        assert.ok(again.verify().ok)
        return { value }
      },
      { file },
    )
    t.deepEqual(facts, { value: 42 })
  },
)

test.serial('a window across 4 GiB of a file that holds many vectors', async t => {
  t.timeout(300_000)
  const file = roomy(t)
  if (file === undefined) return
  const crossed = await inChild(
    t,
    ({ fm, args, assert }) => {
      const store = fm.openFmalloc(args.file)
      store.vector('raw', 2 ** 32 - 2 ** 20, { name: 'filler' })
      let crossed = 0
      for (let i = 0; i < 40; i++) {
        const v = store.vector('numeric', 8191 + i, { name: `v${i}` })
        v.view().fill(i)
        const { payloadOffset, payloadNbytes } = store.allocations()[0]
        if (payloadOffset < 2 ** 32 && payloadOffset + payloadNbytes > 2 ** 32) crossed++
      }
      for (let i = 0; i < 40; i++) {
        const v = store.getVector(`v${i}`)
        assert.ok(v.view().every(x => x === i))
        assert.deepEqual([v.get(0), v.at(-1)], [i, i])
      }
      assert.ok(store.verify().ok)
      store.close()
      return crossed
    },
    { file },
  )
  t.true(crossed <= 1)
})

test.serial(
  'a numeric vector above 4 GiB: TOO_LARGE on Node 20, else a view up to 2^30 elements',
  async t => {
    t.timeout(300_000)
    const file = roomy(t)
    if (file === undefined) return
    const answer = await inChild(
      t,
      ({ fm, args, assert, codeOf }) => {
        const store = fm.openFmalloc(args.file)
        const length = 2 ** 29 + 1
        const v = store.vector('numeric', length)
        v.set(2 ** 29, 1.5)
        const [first] = v.windows({ bytes: '1 GiB' })
        assert.equal(first.length, 2 ** 27)
        const tail = v.subarray(2 ** 29 - 1)
        assert.deepEqual([...tail.view()], [0, 1.5])
        return codeOf(() => {
          const xs = v.view()
          assert.equal(xs.length, length)
          assert.equal(xs[length - 1], 1.5)
          return 'a view'
        })
      },
      { file },
    )
    const node20 = Number(process.versions.node.split('.')[0]) < 22
    t.is(answer, node20 ? 'ERR_FMALLOC_TOO_LARGE' : 'returned a view')
  },
)

test.serial('exactly 2^30 elements have a view, one more has none', async t => {
  t.timeout(300_000)
  const file = roomy(t)
  if (file === undefined) return
  const codes = await inChild(
    t,
    ({ fm, args, codeOf }) => {
      const store = fm.openFmalloc(args.file)
      return [2 ** 30, 2 ** 30 + 1].map(n => codeOf(() => store.vector('raw', n).view().length))
    },
    { file },
  )
  t.deepEqual(codes, [`returned ${2 ** 30}`, 'ERR_FMALLOC_TOO_LARGE'])
})

test.serial('two stores, each above 4 GiB, do not mix', async t => {
  t.timeout(300_000)
  const file = roomy(t)
  if (file === undefined) return
  const values = await inChild(
    t,
    ({ fm, args }) => {
      const length = 2 ** 32 + 100
      const [a, b] = ['a', 'b'].map(name => fm.openFmalloc(`${args.file}.${name}`).vector('raw', length))
      for (let i = length - 64; i < length; i++) {
        a.set(i, 1)
        b.set(i, 2)
      }
      return [a.at(-1), b.at(-1), a.get(length - 64), b.get(length - 64), a.get(length - 65)]
    },
    { file },
  )
  t.deepEqual(values, [1, 2, 1, 2, 0])
})

test('a store of a hundred gibibytes by name, hardly any by disk', t => {
  const store = freshStore(t, { sizeGb: 100 })
  t.is(store.maxSize, 100 * GIB)
  t.true(fs.statSync(store.path).blocks * 512 < 2 ** 24)
})

test('a vector larger than the disk is refused, not begun', t => {
  const store = freshStore(t)
  const { size } = fs.statSync(store.path)
  refuses(t, () => store.vector('raw', freeBytes(os.tmpdir()) + 100 * GIB), 'NO_SPACE')
  t.is(fs.statSync(store.path).size, size)
  t.is(store.vector('integer', [1]).get(0), 1)
})
