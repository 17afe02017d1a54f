// A process that makes vectors without end, looks at them and drops them, holds no more at the end than it did after the first few
// thousand: JavaScript heap, memory of buffers, resident memory, descriptors, mappings, bytes of the store. Counts, not times.

import os from 'node:os'
import test from 'ava'
import { inChild } from './helpers/child.mjs'
import { freshPath } from './helpers/files.mjs'

const VECTORS = Number(process.env.RFMALLOC_LEAK_VECTORS ?? 100_000)
const MIB = 2 ** 20

/** `v` is a small committed vector; what is made of it without a name is temporary. */
const ways = {
  'dropped without a view': (store, i, v) => v.copy().get(0),
  'viewed and dropped': (store, i, v) => v.copy().view().fill(i),
  'destroyed under their views': store => {
    const v = store.vector('integer', 300)
    v.view()[0] = 1
    v.destroy()
  },
  'replaced by name': (store, i) =>
    store.vector('integer', [i], { name: `v${i % 100}`, replace: true }).get(0),
}

for (const [what, way] of Object.entries(ways)) {
  test(`${VECTORS} vectors ${what}: memory, descriptors and mappings come back`, async t => {
    if (os.platform() !== 'linux') return t.pass('skipped: descriptors and mappings are read from /proc')
    t.timeout(600_000)
    const { before, after } = await inChild(
      t,
      async ({ fm, args, fs, collect }) => {
        const way = new Function(`return (${args.way})`)()
        const store = fm.openFmalloc(args.file, { syncEvery: false })
        const v = store.vector('numeric', 300, { name: 'v' })
        const run = async (from, to) => {
          for (let i = from; i < to; i++) {
            way(store, i, v)
            if (i % 1000 === 999) {
              await collect(1)
              // What was destroyed is reusable once that is on disk.
              await store.sync()
            }
          }
          await collect()
          await store.sync()
        }
        const holdings = () => {
          const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
          return {
            heapUsed,
            external: external + arrayBuffers,
            rss,
            descriptors: fs.readdirSync('/proc/self/fd').length,
            mappings: fs.readFileSync('/proc/self/maps', 'utf8').split('\n').length,
            store: store.nbytes,
          }
        }
        await run(0, 5000)
        const before = holdings()
        await run(5000, 5000 + args.n)
        return { before, after: holdings() }
      },
      { file: freshPath(t), n: VECTORS, way: way.toString() },
      { deadline: 590_000 },
    )
    const most = {
      heapUsed: 4 * MIB,
      external: 2 * MIB,
      rss: 48 * MIB,
      descriptors: 2,
      mappings: 40,
      store: 4 * MIB,
    }
    for (const [key, slack] of Object.entries(most))
      t.true(after[key] <= before[key] + slack, `${key}: ${before[key]} -> ${after[key]}`)
  })
}
