// Garbage collection against the allocator: a view never shows the bytes of something else as long as it lives, no byte of the library's
// own can be reached through a buffer it handed out, and what is dropped gives its space and its address space back.
// Everything runs in processes of its own: they are collected on demand, and a wrong byte could end in a crash.

import fs from 'node:fs'
import os from 'node:os'
import test from 'ava'
import { inChild } from './helpers/child.mjs'
import { freshPath, open } from './helpers/files.mjs'

const TEMPORARIES = Number(process.env.RFMALLOC_TEMPORARIES ?? 100_000)

for (const how of ['destroy', 'unsafe', 'replace', 'delete', 'temporary', 'tidy', 'scratch']) {
  test(`keeping only a subarray of a view, ${how}: its bytes do not change`, async t => {
    // A subarray outlives its vector's handle and its view. A store that frees the extent with the handle hands the same bytes to the next
    // vector while the subarray still shows them.
    const wrong = await inChild(
      t,
      async ({ fm, args, collect }) => {
        const store = fm.openFmalloc(args.file, { mode: args.how === 'scratch' ? 'scratch' : 'persistent' })
        const kept = []
        const make = () => {
          for (let i = 0; i < 20; i++) {
            const name = `v${i}`
            let v
            if (args.how === 'temporary')
              v = store
                .vector('integer', 5000)
                .fill(i + 1)
                .copy()
            else if (args.how === 'tidy') {
              store.tidy(() => {
                v = store
                  .vector('integer', 5000)
                  .fill(i + 1)
                  .slice()
                kept.push(v.view().subarray(100, 4900))
              })
              continue
            } else v = store.vector('integer', 5000, { name }).fill(i + 1)
            kept.push(v.view().subarray(100, 4900))
            if (args.how === 'destroy') v.destroy()
            if (args.how === 'unsafe') v.destroy({ unsafe: true })
            if (args.how === 'replace') store.vector('integer', 1, { name, replace: true })
            if (args.how === 'delete') store.delete(name)
          }
        }
        make()
        const wrong = []
        for (let round = 0; round < 5; round++) {
          await collect()
          store.syncNow()
          for (let i = 0; i < 100; i++) store.vector('integer', 5000).fill(-7)
          for (const [i, xs] of kept.entries())
            if (!xs.every(x => x === i + 1)) wrong.push(`round ${round}: ${i}`)
        }
        store.close()
        return wrong
      },
      { file: freshPath(t), how },
    )
    t.deepEqual(wrong, [])
  })
}

test('a buffer moved by transfer() still keeps its bytes from reuse', async t => {
  const wrong = await inChild(
    t,
    async ({ fm, args, collect }) => {
      if (typeof ArrayBuffer.prototype.transfer !== 'function') return 'absent'
      const store = fm.openFmalloc(args.file)
      const make = () => {
        const v = store.vector('integer', 5000, { name: 'v' }).fill(1)
        const moved = v.view().buffer.transfer()
        v.destroy({ unsafe: true })
        return new Int32Array(moved)
      }
      const xs = make()
      for (let round = 0; round < 5; round++) {
        await collect()
        store.syncNow()
        for (let i = 0; i < 20; i++) store.vector('integer', 5000).fill(-7)
        if (!xs.every(x => x === 1)) return `round ${round}`
      }
      return 'kept'
    },
    { file: freshPath(t) },
  )
  if (wrong === 'absent') t.log('skipped: this Node has no ArrayBuffer.prototype.transfer')
  t.true(['kept', 'absent'].includes(wrong), wrong)
})

test('a read of a file into a view goes on while its vector is destroyed: nothing else is written over', async t => {
  const wrong = await inChild(
    t,
    async ({ fm, args, fs, collect }) => {
      fs.writeFileSync(args.source, Buffer.alloc(2 ** 22, 0xee))
      const store = fm.openFmalloc(args.file)
      const wrong = []
      for (let round = 0; round < 30; round++) {
        const fd = fs.openSync(args.source, 'r')
        const reading = (() => {
          const v = store.vector('raw', 2 ** 22)
          const promise = new Promise((resolve, reject) =>
            fs.read(fd, v.view(), 0, 2 ** 22, 0, (error, n) => (error ? reject(error) : resolve(n))),
          )
          v.destroy({ unsafe: true })
          return promise
        })()
        globalThis.gc()
        store.syncNow()
        const others = Array.from({ length: 4 }, () => store.vector('raw', 2 ** 20).fill(1))
        await reading
        for (const v of others) if (!v.view().every(x => x === 1)) wrong.push(round)
        for (const v of others) v.destroy({ unsafe: true })
        fs.closeSync(fd)
        await collect(1)
      }
      store.close()
      return wrong
    },
    { file: freshPath(t), source: freshPath(t, 'source.bin') },
  )
  t.deepEqual(wrong, [])
})

test('scribbling over every byte of every buffer ever handed out: the store reopens, verifies, and other vectors are unharmed', async t => {
  const file = freshPath(t)
  const facts = await inChild(
    t,
    async ({ fm, args, assert, bytes }) => {
      const store = fm.openFmalloc(args.file)
      const second = fm.openFmalloc(args.file)
      const types = Object.keys(bytes.TYPES)
      const buffers = new Set()
      const take = array => buffers.add(array.buffer)
      for (let i = 0; i < 100; i++) {
        const type = types[i % 5]
        store.vector(type, bytes.content(type, 1000 + i, i), { name: `safe${i}` })
        const v = store.vector(type, bytes.content(type, 1 + i * 13, i), { name: `exposed${i}` })
        take(v.view())
        take(v.subarray(0, 1).view())
        for (const w of v.windows({ bytes: 256 })) take(w.view())
        take(second.getVector(`exposed${i}`).view())
        take(v.copy().view())
        take(store.allocate(1 + i * 7))
        take(v.toTypedArray())
        take(store.vector(type, 0).view())
      }
      const destroyed = store.vector('integer', 1000)
      take(destroyed.view())
      destroyed.destroy({ unsafe: true })
      let scribbled = 0
      for (const buffer of buffers) {
        new Uint8Array(buffer).fill(0xa5)
        scribbled += buffer.byteLength
      }
      const wrong = []
      const look = (s, when) => {
        for (let i = 0; i < 100; i++) {
          const type = types[i % 5]
          if (!bytes.sameBits(s.getVector(`safe${i}`, type).toTypedArray(), bytes.content(type, 1000 + i, i)))
            wrong.push(`${when} ${i}`)
        }
      }
      look(store, 'open')
      assert.deepEqual(store.verify(), { ok: true, faults: [] })
      for (let i = 0; i < 100; i++) store.vector('integer', 100, { name: `after${i}` })
      second.close()
      store.close()
      // Detached by now, but on Node 20.
      for (const buffer of buffers) if (buffer.byteLength > 0) new Uint8Array(buffer).fill(0x5a)
      const again = fm.openFmalloc(args.file)
      look(again, 'reopened')
      assert.deepEqual(again.verify(), { ok: true, faults: [] })
      again.close()
      return { wrong, many: scribbled > 400_000, buffers: buffers.size > 300 }
    },
    { file },
  )
  t.deepEqual(facts, { wrong: [], many: true, buffers: true })
  const store = open(t, file, { readOnly: true })
  t.true(store.verify().ok)
  t.is(store.size, 300)
})

test('handles of named vectors are collected and found again', async t => {
  const facts = await inChild(
    t,
    async ({ fm, args, collect, until }) => {
      const store = fm.openFmalloc(args.file)
      for (let i = 0; i < 1000; i++) store.vector('integer', [i], { name: `v${i}` })
      await until('the handles are collected', async () => {
        await collect(1)
        return store.diagnose().runtime.liveVectors < 100
      })
      let wrong = 0
      for (let i = 0; i < 1000; i++) if (store.getVector(`v${i}`).get(0) !== i) wrong++
      const v = store.getVector('v5')
      await collect()
      return { wrong, same: store.get('v5') === v, count: store.allocations().length }
    },
    { file: freshPath(t) },
  )
  t.deepEqual(facts, { wrong: 0, same: true, count: 1000 })
})

test('dropped temporaries and scratch vectors give their space back', async t => {
  const size = await inChild(
    t,
    async ({ fm, args, collect }) => {
      const store = fm.openFmalloc(args.file)
      const scratch = fm.openFmalloc(args.scratch, { mode: 'scratch' })
      const v = store.vector('raw', 2 ** 20)
      for (let round = 0; round < 40; round++) {
        for (let i = 0; i < 10; i++) {
          v.copy()
          scratch.vector('raw', 2 ** 20)
        }
        await collect(2)
      }
      return Math.max(store.nbytes, scratch.nbytes)
    },
    { file: freshPath(t), scratch: freshPath(t, 'scratch.fm') },
  )
  t.true(size < 200 * 2 ** 20, `${size} bytes for 400 vectors of 1 MiB that were dropped by tens`)
})

test(`${TEMPORARIES} temporaries of 1 MiB pass through a store of 1 GiB in one synchronous loop`, async t => {
  // Finalizers never run inside a synchronous loop: a store that waits for them is full after a thousand.
  t.timeout(600_000)
  const facts = await inChild(
    t,
    ({ fm, args }) => {
      const store = fm.openFmalloc(args.file, { sizeGb: 1 })
      const v = store.vector('raw', 2 ** 20).fill(3)
      let wrong = 0
      for (let i = 0; i < args.n; i++) {
        const copy = v.copy()
        if (copy.get(i % 2 ** 20) !== 3) wrong++
        copy.set(0, 9)
      }
      const facts = { wrong, first: v.get(0), rows: store.allocations().length, ok: store.verify().ok }
      store.close()
      return facts
    },
    { file: freshPath(t), n: TEMPORARIES },
    { deadline: 590_000 },
  )
  t.deepEqual(facts, { wrong: 0, first: 3, rows: 1, ok: true })
})

test('temporaries that are viewed and dropped pass through a small store when the event loop turns', async t => {
  const wrong = await inChild(
    t,
    async ({ fm, args, collect }) => {
      const store = fm.openFmalloc(args.file, { sizeGb: 1 / 8 })
      const v = store.vector('raw', 2 ** 20).fill(3)
      let wrong = 0
      for (let i = 0; i < 1000; i++) {
        const xs = v.copy().view()
        if (xs[i] !== 3) wrong++
        xs[0] = 9
        if (i % 50 === 49) await collect(1)
      }
      return wrong
    },
    { file: freshPath(t) },
  )
  t.is(wrong, 0)
})

test('500 times open, view, close: no address space is lost', async t => {
  if (os.platform() !== 'linux') return t.pass('skipped: the size of the address space is read from /proc')
  const facts = await inChild(
    t,
    async ({ fm, args, fs, collect }) => {
      const size = () =>
        Number(/VmSize:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
      let xs
      const cycle = () => {
        const store = fm.openFmalloc(args.file)
        const v = store.has('v') ? store.getVector('v') : store.vector('integer', 100_000, { name: 'v' })
        xs = v.view()
        xs[0]++
        store.close()
      }
      for (let i = 0; i < 20; i++) cycle()
      xs = undefined
      await collect()
      const before = size()
      for (let i = 0; i < 500; i++) {
        cycle()
        if (i % 25 === 24) await collect(1)
      }
      xs = undefined
      await collect()
      return { grown: size() - before }
    },
    { file: freshPath(t) },
  )
  t.true(facts.grown < 2 ** 30, `${facts.grown} bytes of address space after 500 cycles`)
})

test('500 times open, view, close in one synchronous loop work too', async t => {
  // Without a turn of the event loop no finalizer runs, so nothing under a buffer can be given back: what is left over may only be the
  // ranges under the views, never whole reservations (126 of 1 TiB are all there are).
  const value = await inChild(
    t,
    ({ fm, args }) => {
      for (let i = 0; i < 500; i++) {
        const store = fm.openFmalloc(args.file)
        const v = i === 0 ? store.vector('integer', 1000, { name: 'v' }) : store.getVector('v')
        v.view()[0] = i
        store.close()
      }
      return fm.openFmalloc(args.file).getVector('v').get(0)
    },
    { file: freshPath(t) },
  )
  t.is(value, 499)
})

test('many small stores open at once', async t => {
  const file = freshPath(t)
  const count = await inChild(
    t,
    ({ fm, args }) => {
      const stores = Array.from({ length: 60 }, (_, i) => fm.openFmalloc(`${args.file}${i}`))
      for (const [i, store] of stores.entries()) store.vector('integer', [i], { name: 'v' })
      const right = stores.filter((store, i) => store.getVector('v').get(0) === i).length
      for (const store of stores) store.close()
      return right
    },
    { file },
  )
  t.is(count, 60)
  t.true(fs.existsSync(`${file}59`))
})
