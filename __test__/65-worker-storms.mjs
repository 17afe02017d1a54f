// Workers that come, open, close and die in masses. What a process has of a store (descriptors, mappings, threads) is counted before and after.

import fs from 'node:fs'
import test from 'ava'
import { inChild, start } from './helpers/child.mjs'
import { freshDirectory, fastRoot, open } from './helpers/files.mjs'
import path from 'node:path'

const url = new URL('../dist/index.js', import.meta.url).href

/** In the child: what of the files in `folder` the process still has, and the address space reserved for stores. */
function traces({ fs, folder }) {
  const links = dir =>
    fs.readdirSync(dir).map(name => {
      try {
        return fs.readlinkSync(`${dir}/${name}`)
      } catch {
        return '' // the descriptor of this very listing
      }
    })
  const maps = fs.readFileSync('/proc/self/maps', 'utf8').split('\n')
  const size = line => {
    const [from, to] = line.split(' ')[0].split('-')
    return Number.parseInt(to, 16) - Number.parseInt(from, 16)
  }
  const threads = fs.readdirSync('/proc/self/task').map(id => {
    try {
      return fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()
    } catch {
      return '' // it has just ended
    }
  })
  return {
    descriptors: links('/proc/self/fd').filter(to => to.startsWith(folder)).length,
    mappings: maps.filter(line => line.includes(folder)).length,
    // A store reserves a tebibyte, or what the system grants; nothing else of a process is of that size (but V8's cage, which stays).
    reserved: maps.filter(line => line !== '' && size(line) >= 2 ** 39).length,
    syncThreads: threads.filter(name => name === 'rfmalloc-sync').length,
  }
}

const LINUX = fs.existsSync('/proc/self/maps')

function linuxTest(title, body) {
  if (LINUX) test.serial(title, body)
  else
    test.serial.skip(
      `${title} (skipped: this system does not list a process's descriptors and mappings)`,
      body,
    )
}

linuxTest(
  'a thousand openings and closes in workers leave no descriptor, no mapping and no thread',
  async t => {
    const folder = freshDirectory(t, fastRoot())
    const facts = await inChild(
      t,
      async ({ fm, fs, args, call, workers, until, collect }) => {
        const look = () => call(args.traces, { fs, folder: args.folder })
        const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then(fm => {
        for (let n = 0; n < workerData.cycles; n++) {
          const file = workerData.folder + '/' + (n % 3 === 0 ? 'shared' : 'own-' + workerData.me) + '.fm'
          const store = fm.openFmalloc(file, { syncEvery: n % 2 === 0 ? 1 : false })
          const name = 'w' + workerData.me
          const old = store.get(name)
          const count = old === undefined ? 0 : old.get(0)
          const v = store.vector('integer', [count + 1], { name, replace: true })
          if (n % 4 === 1) globalThis.view = v.view()
          if (n % 5 === 2) store.vector('numeric', 20000).copy()
          if (n % 7 === 3) void store.sync().catch(() => {})
          store.close()
        }
        globalThis.view = undefined
        parentPort.postMessage('done')
      })`
        const team = async cycles => {
          await Promise.all(
            [0, 1, 2, 3].map(
              me =>
                new Promise((resolve, reject) => {
                  const worker = new workers.Worker(code, { eval: true, workerData: { ...args, me, cycles } })
                  worker.once('error', reject)
                  worker.once('exit', resolve)
                }),
            ),
          )
          await collect()
        }
        // What is reserved for V8 itself comes with the first workers.
        await team(10)
        const before = await look()
        await team(250)
        await until('the threads of the background sync are gone', () => look().syncThreads === 0)
        const after = look()
        const store = fm.openFmalloc(`${args.folder}/seen.fm`)
        store.vector('integer', 1)
        // A thread has its name only once it runs.
        await until('the thread of the background sync', () => look().syncThreads > 0)
        const opened = look()
        store.close()
        return [before, after, opened]
      },
      { folder, url, traces: String(traces) },
    )
    const [before, after, opened] = facts
    for (const what of Object.keys(after))
      t.true(opened[what] > after[what], `an open store shows in the ${what}`)
    t.deepEqual(after, { ...before, descriptors: 0, mappings: 0, syncThreads: 0 })
    // Each of the four counted its own turns, in the shared file and in its own.
    const shared = open(t, path.join(folder, 'shared.fm'))
    for (let me = 0; me < 4; me++) {
      const own = open(t, path.join(folder, `own-${me}.fm`))
      t.is(shared.getVector(`w${me}`).get(0) + own.getVector(`w${me}`).get(0), 260)
      t.true(own.verify().ok)
    }
    t.true(shared.verify().ok)
  },
)

test.serial(
  'openings race with closes of one path in eight workers: nothing is lost, nothing hangs',
  async t => {
    const folder = freshDirectory(t, fastRoot())
    const file = path.join(folder, 'store.fm')
    const created = await inChild(
      t,
      async ({ args, workers }) => {
        const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then(fm => {
        let created = 0
        for (let n = 0; n < 150; n++) {
          const store = fm.openFmalloc(workerData.file)
          if (store.created) created++
          const v = store.vector('integer', [n, workerData.me], { name: 'v' + workerData.me, replace: true })
          const ref = v.ref
          if (n % 3 === 0) {
            // A second way in, while the first is closed.
            const other = fm.openRef(ref)
            store.close()
            const again = fm.openFmalloc(workerData.file)
            if (again.getVector('v' + workerData.me).get(0) !== n) throw new Error('lost ' + n)
            again.close()
            if (n % 2 === 0) other.store.close()
          }
          store.close()
        }
        parentPort.postMessage(created)
      })`
        const made = await Promise.all(
          Array.from(
            { length: 8 },
            (_, me) =>
              new Promise((resolve, reject) => {
                const worker = new workers.Worker(code, { eval: true, workerData: { ...args, me } })
                let value
                worker.once('message', n => (value = n))
                worker.once('error', reject)
                worker.once('exit', () => resolve(value))
              }),
          ),
        )
        return made.reduce((a, b) => a + b)
      },
      { file, url },
    )
    t.is(created, 1)
    const store = open(t, file)
    t.is(store.size, 8)
    for (let me = 0; me < 8; me++) t.deepEqual(store.getVector(`v${me}`).toArray(), [149, me])
    t.deepEqual(store.verify(), { ok: true, faults: [] })
  },
)

linuxTest(
  'workers terminated in the middle of anything, also with syncs pending: the store is whole and wholly let go',
  async t => {
    const folder = freshDirectory(t, fastRoot())
    const file = path.join(folder, 'store.fm')
    const facts = await inChild(
      t,
      async ({ fm, fs, args, call, workers, until, collect, bytes }) => {
        const look = () => call(args.traces, { fs, folder: args.folder })
        const code = `
      const { workerData: { file, url, count, me } } = require('node:worker_threads')
      import(url).then(async fm => {
        for (let n = 0; ; n++) {
          const store = fm.openFmalloc(file)
          const v = store.vector('integer', [n], { name: 'v' + me, replace: true })
          globalThis.views = [v.view(), store.vector('numeric', 5000).view()]
          for (let i = 0; i < 3; i++) void store.sync().catch(() => {})
          void store.verifyAsync().catch(() => {})
          void v.prefetch().catch(() => {})
          Atomics.add(count, me, 1)
          if (n % 3 === 0) await store.sync()
          if (n % 2 === 0) store.close()
        }
      })`
        const count = new Int32Array(new SharedArrayBuffer(16))
        const rng = bytes.random(args.seed)
        // The main thread holds the store open in every other round.
        for (let round = 0; round < 12; round++) {
          const store = round % 2 === 0 ? fm.openFmalloc(args.file) : undefined
          const from = [...count]
          const team = [0, 1, 2, 3].map(
            me => new workers.Worker(code, { eval: true, workerData: { ...args, count, me } }),
          )
          const most = 1 + rng.below(20)
          await until('work', () => from.every((n, me) => Atomics.load(count, me) >= n + most))
          await Promise.all(team.map(worker => worker.terminate()))
          if (store !== undefined) {
            store.vector('integer', [round], { name: 'main', replace: true })
            await store.sync()
            if (!store.verify().ok) throw new Error('not whole')
            store.close()
          }
          await collect(1)
        }
        await collect()
        // A read of the file that was under way when its thread ended lets go a little later.
        await until('all is let go', async () => {
          await collect(1)
          const { descriptors, mappings, syncThreads } = look()
          return descriptors + mappings + syncThreads === 0
        }).catch(error => {
          throw new Error(`${error.message}; ${JSON.stringify(look())}`)
        })
        return fm.openFmalloc(args.file).getVector('main').get(0)
      },
      { folder, file, url, traces: String(traces), seed: Math.floor(Math.random() * 2 ** 28) },
    )
    t.is(facts, 10)
    const store = open(t, file)
    t.deepEqual([...store.keys()].toSorted(), ['main', 'v0', 'v1', 'v2', 'v3'])
    t.deepEqual(store.verify(), { ok: true, faults: [] })
  },
)

test.serial('refs sent to workers that are dying: the store is held by nobody afterwards', async t => {
  const folder = freshDirectory(t, fastRoot())
  const file = path.join(folder, 'store.fm')
  const facts = await inChild(
    t,
    async ({ fm, args, workers, until, collect }) => {
      const store = fm.openFmalloc(args.file)
      const v = store.vector('integer', 1000, { name: 'v' }).fill(7)
      const temporary = v.copy()
      const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then(fm => {
        parentPort.on('message', refs => {
          globalThis.held = refs.map(ref => fm.openRef(ref).view())
          parentPort.postMessage(globalThis.held.map(xs => xs[0]))
        })
        parentPort.postMessage('here')
      })`
      for (let round = 0; round < 20; round++) {
        const worker = new workers.Worker(code, { eval: true, workerData: { url: args.url } })
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        worker.postMessage([v.ref, temporary.ref])
        // Before, while or after it opens them.
        for (let n = 0; n < (round % 5) * 40_000; n++);
        await worker.terminate()
      }
      await until('nobody else has a handle', async () => {
        await collect(1)
        return store.diagnose().runtime.liveVectors === 2
      })
      if (!temporary.view().every(x => x === 7)) throw new Error('the temporary changed')
      v.destroy()
      store.close()
      // Nobody holds it: another process gets it.
      return fm.openFmalloc(args.file).size
    },
    { file, url },
  )
  t.is(facts, 0)
})

for (const [how, end] of [
  [
    'a worker that waits for a lock ends when it is terminated',
    async ({ worker, say }) => {
      await worker.terminate()
      await say('ended')
    },
  ],
  ['a process ends although a worker of it waits for a lock', () => process.exit(0)],
]) {
  test.serial(how, async t => {
    // The wait was in native code, which nothing interrupts: terminate() and process.exit() took as long as the other process had the file.
    const folder = freshDirectory(t, fastRoot())
    const file = path.join(folder, 'store.fm')
    const holder = start(
      t,
      async ({ fm, args, say, hear }) => {
        globalThis.store = fm.openFmalloc(args.file)
        await say('open')
        await hear()
      },
      { file },
    )
    t.is(await holder.hear(), 'open')
    const child = start(
      t,
      async ({ args, say, call, workers, until }) => {
        const code = `
        const { workerData } = require('node:worker_threads')
        import(workerData.url).then(fm => {
          const tries = new Int32Array(workerData.tries)
          const { wait } = Atomics
          Atomics.wait = (...args) => {
            Atomics.add(tries, 0, 1)
            return wait(...args)
          }
          fm.openFmalloc(workerData.file, { lockTimeout: Infinity })
        })`
        const tries = new SharedArrayBuffer(4)
        const worker = new workers.Worker(code, { eval: true, workerData: { ...args, tries } })
        await until('it waits', () => Atomics.load(new Int32Array(tries), 0) > 3)
        await call(args.end, { worker, say })
      },
      { file, url, end: String(end) },
      { deadline: 60_000 },
    )
    if (how.startsWith('a worker')) t.is(await child.hear(), 'ended')
    // The holder still has the file: whoever ended did not wait for it.
    t.deepEqual((({ code, signal }) => ({ code, signal }))(await child.ended), { code: 0, signal: null })
    holder.send('end')
    t.is((await holder.ended).code, 0)
  })
}

test.serial('a worker that runs out of memory in the middle of its work takes nothing with it', async t => {
  const folder = freshDirectory(t, fastRoot())
  const file = path.join(folder, 'store.fm')
  const facts = await inChild(
    t,
    async ({ fm, args, workers, until, collect }) => {
      const store = fm.openFmalloc(args.file)
      const code = `
      const { workerData: { file, url, count } } = require('node:worker_threads')
      import(url).then(fm => {
        const store = fm.openFmalloc(file)
        const kept = []
        for (let n = 0; ; n++) {
          const v = store.vector('integer', [n], { name: 'v' + n })
          kept.push(v.view(), Array.from({ length: 2000 }, (_, i) => ({ i })))
          Atomics.store(count, 0, n + 1)
        }
      })`
      const count = new Int32Array(new SharedArrayBuffer(4))
      const worker = new workers.Worker(code, {
        eval: true,
        workerData: { ...args, count },
        // A young generation that survives as a whole must not carry the old one past the limit at one stroke: V8 would end the process.
        resourceLimits: { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4 },
      })
      const error = await new Promise(resolve => worker.once('error', resolve).once('exit', resolve))
      const made = count[0]
      await until('its handles are gone', async () => {
        await collect(1)
        return store.diagnose().runtime.liveVectors === 0
      })
      const size = store.size
      for (let n = 0; n < made; n++) if (store.getVector(`v${n}`).get(0) !== n) throw new Error(`v${n}`)
      store.vector('integer', [1], { name: 'afterwards' })
      store.close()
      return { code: error?.code, lost: made > size, more: size - made, made }
    },
    { file, url },
  )
  t.is(facts.code, 'ERR_WORKER_OUT_OF_MEMORY')
  t.true(facts.made > 0 && !facts.lost && facts.more <= 1, JSON.stringify(facts))
  const store = open(t, file)
  t.is(store.size, facts.made + facts.more + 1)
  t.deepEqual(store.verify(), { ok: true, faults: [] })
})
