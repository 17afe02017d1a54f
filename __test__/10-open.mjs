// Opening: what is accepted, what is refused before anything is touched, and what two openings of one file mean. The rows 1.1 to 1.18 of R's
// behaviour are here; where the port decided otherwise the title says so.

import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { fmallocDefaultRuntime, openFmalloc } from '../dist/index.js'
import { inChild, start } from './helpers/child.mjs'
import { fileWith, freshDirectory, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

test('1.1 the handle says whether the file is new, its mode and its UUID', t => {
  const file = freshPath(t)
  const store = open(t, file)
  t.true(store.created)
  t.is(store.mode, 'persistent')
  t.regex(store.uuid, /^[0-9a-f]{32}$/)
  t.is(store.path, fs.realpathSync(file))
  t.false(store.readOnly)
  t.false(store.closed)
  const { uuid } = store
  store.close()
  const again = open(t, file)
  t.false(again.created)
  t.is(again.uuid, uuid)
})

test('1.1 two new files have different UUIDs', t => {
  t.not(freshStore(t).uuid, freshStore(t).uuid)
})

test('a path may be a file URL', t => {
  const file = freshPath(t)
  const store = open(t, pathToFileURL(file))
  t.is(store.path, fs.realpathSync(file))
})

for (const [what, value] of [
  ['undefined', undefined],
  ['null', null],
  ['a number', 1],
  ['an array', ['a.fm']],
  ['an object', {}],
  ['NaN', NaN],
  ['empty', ''],
  ['with a zero byte', 'a\0b.fm'],
  ['a web URL', new URL('http://localhost/a.fm')],
]) {
  test(`1.2 a path that is ${what} is refused`, t => {
    refuses(t, () => openFmalloc(value), 'ARGUMENT')
  })
}

for (const value of [-1, 0, -0, NaN, Infinity, -Infinity, '1', true, 1n]) {
  test(`1.3 sizeGb not one positive number is refused: ${typeof value} ${String(Object.is(value, -0) ? '-0' : value)}`, t => {
    const file = freshPath(t)
    refuses(t, () => openFmalloc(file, value), 'ARGUMENT', /size/i)
    t.false(fs.existsSync(file), 'nothing is touched')
  })
}

test('1.3 sizeGb above 1000 is too large', t => {
  const file = freshPath(t)
  refuses(t, () => openFmalloc(file, 1000.5), 'ARGUMENT', /too large/)
  refuses(t, () => openFmalloc(file, { sizeGb: 1e300 }), 'ARGUMENT', /too large/)
  t.false(fs.existsSync(file))
})

test('1.4 decided otherwise: without sizeGb there is no 32 MiB limit, the file grows', t => {
  const store = freshStore(t)
  const v = store.vector('raw', 48 * 2 ** 20)
  t.is(v.set(v.length - 1, 7).get(v.length - 1), 7)
})

test('1.5 an existing file keeps its size, sizeGb is ignored', t => {
  const file = freshPath(t)
  const first = open(t, file, 1 / 64)
  const { maxSize } = first
  first.close()
  const again = open(t, file, 1)
  t.is(again.maxSize, maxSize)
  refuses(t, () => again.vector('raw', 32 * 2 ** 20), 'NO_SPACE')
})

test('1.6 a new file takes little disk, whatever its size', t => {
  for (const sizeGb of [undefined, 1, 1000]) {
    const store = freshStore(t, sizeGb)
    const { blocks } = fs.statSync(store.path)
    t.true(blocks * 512 <= 4 * 2 ** 20, `${blocks * 512} bytes for sizeGb ${sizeGb}`)
  }
})

for (const mode of ['pers', 'scratchy', 'Persistent', '', 1]) {
  test(`1.7 an unknown mode is refused and the choices named: ${JSON.stringify(mode)}`, t => {
    const file = freshPath(t)
    refuses(t, () => openFmalloc(file, undefined, mode), 'ARGUMENT', /persistent.*scratch/)
    refuses(t, () => openFmalloc(file, { mode }), 'ARGUMENT', /persistent.*scratch/)
    t.false(fs.existsSync(file))
  })
}

test('1.8 a missing directory: cannot create', t => {
  const file = path.join(freshDirectory(t), 'no', 'such', 'place.fm')
  refuses(t, () => openFmalloc(file), ['IO', 'NOT_FOUND'], /cannot create/i)
})

test('1.8 a directory in place of the file is refused', t => {
  refuses(t, () => openFmalloc(freshDirectory(t)), ['IO', 'NOT_A_STORE', 'ARGUMENT'])
})

test('1.8 a file that may not be read: cannot access', async t => {
  const store = freshStore(t)
  store.close()
  fs.chmodSync(path.dirname(store.path), 0o777)
  fs.chmodSync(store.path, 0o000)
  const found = await inChild(
    t,
    ({ fm, args, codeOf }) => {
      // Root may read everything, so the child becomes nobody first.
      if (process.getuid() === 0) process.setuid(65534)
      let message = ''
      const code = codeOf(() => {
        try {
          fm.openFmalloc(args.file)
        } catch (error) {
          message = error.message
          throw error
        }
      })
      return { code, message }
    },
    { file: store.path },
  )
  t.is(found.code, 'ERR_FMALLOC_IO')
  t.regex(found.message, /cannot access/i)
})

test('1.9 a store cut below its smallest size is refused with both sizes', t => {
  const store = freshStore(t)
  store.close()
  const file = fileWith(t, fs.readFileSync(store.path).subarray(0, 600))
  refuses(t, () => openFmalloc(file), 'TRUNCATED', /600.*\d{3,}|\d{3,}.*600/)
  t.is(fs.statSync(file).size, 600)
})

test('1.10 a file that is not ours is refused and stays as it was', t => {
  const bytes = Buffer.from("PK\x03\x04 a photograph, a spreadsheet, somebody's thesis\n".repeat(4000))
  for (const options of [{}, { readOnly: true }, { mode: 'scratch' }, { sizeGb: 1 }]) {
    const file = fileWith(t, bytes)
    refuses(t, () => openFmalloc(file, options), 'NOT_A_STORE')
    t.true(fs.readFileSync(file).equals(bytes))
  }
})

test('1.11 a store cut short is refused and stays as it was', t => {
  const file = freshPath(t)
  const store = open(t, file)
  store.vector('raw', 2 ** 20, { name: 'v' })
  store.close()
  const bytes = fs.readFileSync(file).subarray(0, 2 ** 19)
  for (const readOnly of [true, false]) {
    const cut = fileWith(t, bytes)
    refuses(t, () => openFmalloc(cut, { readOnly }), ['TRUNCATED', 'CORRUPT'])
    t.true(fs.readFileSync(cut).equals(bytes))
  }
})

test('1.12 the same path opened again shares the one mapping and is not new', t => {
  const file = freshPath(t)
  const a = open(t, file)
  const b = open(t, file)
  t.false(b.created)
  t.is(a.uuid, b.uuid)
  a.vector('integer', [1, 2, 3], { name: 'v' })
  const seen = b.getVector('v', 'integer')
  t.deepEqual(seen.toArray(), [1, 2, 3])
  a.getVector('v').set(0, 9)
  t.is(seen.get(0), 9)
})

test('1.13 the same path open in another mode: the error names the mode in force', t => {
  const file = freshPath(t)
  open(t, file)
  refuses(t, () => openFmalloc(file, { mode: 'scratch' }), 'MODE', /persistent/)
  const scratch = freshPath(t)
  open(t, scratch, { mode: 'scratch' })
  refuses(t, () => openFmalloc(scratch), 'MODE', /scratch/)
})

test('one path read-only and writable in one process is refused, in either order', t => {
  const file = freshPath(t)
  const writer = open(t, file)
  refuses(t, () => openFmalloc(file, { readOnly: true }), 'MODE')
  writer.close()
  open(t, file, { readOnly: true })
  refuses(t, () => openFmalloc(file), 'MODE')
})

test('1.14 decided otherwise: the file itself counts, not its path (relative, dotted, symbolic and hard links share one mapping)', t => {
  const file = freshPath(t)
  const directory = path.dirname(file)
  const a = open(t, file)
  const v = a.vector('integer', [1], { name: 'v' })
  fs.symlinkSync(file, path.join(directory, 'symbolic.fm'))
  fs.linkSync(file, path.join(directory, 'hard.fm'))
  const spellings = ['./store.fm', 'x/../store.fm', 'symbolic.fm', 'hard.fm'].map(
    name => `${directory}/${name}`,
  )
  fs.mkdirSync(path.join(directory, 'x'))
  spellings.push(path.relative(process.cwd(), file))
  for (const [i, spelling] of spellings.entries()) {
    const b = open(t, spelling)
    t.false(b.created, spelling)
    v.set(0, 100 + i)
    t.is(b.getVector('v').get(0), 100 + i, spelling)
    b.close()
  }
})

test('a symbolic link to nothing: the store is created where it points, and the link stays', t => {
  const directory = freshDirectory(t)
  const target = path.join(directory, 'target.fm')
  const link = path.join(directory, 'link.fm')
  fs.symlinkSync(target, link)
  const store = open(t, link)
  t.true(store.created)
  t.true(fs.lstatSync(link).isSymbolicLink())
  t.true(fs.statSync(target).isFile())
})

test('1.15 several stores of different sizes work side by side', t => {
  const stores = [1 / 64, 1 / 16, 1].map(sizeGb => freshStore(t, sizeGb))
  for (const [i, store] of stores.entries()) store.vector('integer', [i], { name: 'v' })
  t.deepEqual(
    stores.map(store => store.getVector('v').get(0)),
    [0, 1, 2],
  )
  t.is(new Set(stores.map(store => store.uuid)).size, 3)
})

test('1.17 decided: a persistent file opened as scratch is refused, also when closed, and the reverse', t => {
  const persistent = freshPath(t)
  const store = open(t, persistent)
  store.vector('integer', [1], { name: 'v' })
  store.close()
  const before = fs.readFileSync(persistent)
  refuses(t, () => openFmalloc(persistent, { mode: 'scratch' }), 'MODE', /persistent/)
  t.true(fs.readFileSync(persistent).equals(before))
  const scratch = freshPath(t)
  open(t, scratch, { mode: 'scratch' }).close()
  refuses(t, () => openFmalloc(scratch), 'MODE', /scratch/)
})

test('1.18 a second process on the same file is kept out', async t => {
  const store = freshStore(t)
  const code = await inChild(t, ({ fm, args, codeOf }) => codeOf(() => fm.openFmalloc(args.file)), {
    file: store.path,
  })
  t.is(code, 'ERR_FMALLOC_LOCKED')
})

test('read-only never creates', t => {
  const file = freshPath(t)
  refuses(t, () => openFmalloc(file, { readOnly: true }), 'NOT_FOUND')
  refuses(t, () => openFmalloc(file, { readOnly: true, create: true }), ['NOT_FOUND', 'ARGUMENT'])
  t.false(fs.existsSync(file))
})

test('create: false wants an existing file', t => {
  const file = freshPath(t)
  refuses(t, () => openFmalloc(file, { create: false }), 'NOT_FOUND')
  t.false(fs.existsSync(file))
  open(t, file).close()
  t.false(open(t, file, { create: false }).created)
})

test('an empty file: refused read-only, initialised in place when writable', t => {
  const file = fileWith(t, '')
  const { ino } = fs.statSync(file)
  refuses(t, () => openFmalloc(file, { readOnly: true }), ['NOT_A_STORE', 'TRUNCATED'])
  t.is(fs.statSync(file).size, 0)
  const store = open(t, file)
  t.true(store.created)
  t.is(fs.statSync(file).ino, ino, 'in place: the same file')
  store.vector('integer', [1], { name: 'v' })
  store.close()
  t.is(open(t, file).getVector('v').get(0), 1)
})

test('a file of zeros of the size creation writes is an unfinished creation; of another size it is not ours', t => {
  const store = freshStore(t)
  store.close()
  const { size } = fs.statSync(store.path)
  const unfinished = fileWith(t, Buffer.alloc(size))
  refuses(t, () => openFmalloc(unfinished, { readOnly: true }), ['NOT_A_STORE', 'TRUNCATED', 'CORRUPT'])
  t.true(open(t, unfinished).created)
  for (const other of [1, size - 1, size + 4096]) {
    const zeros = fileWith(t, Buffer.alloc(other))
    refuses(t, () => openFmalloc(zeros), 'NOT_A_STORE')
    t.true(fs.readFileSync(zeros).equals(Buffer.alloc(other)))
  }
})

test('a failed creation leaves no file behind', t => {
  const directory = freshDirectory(t)
  for (const options of [
    { sizeGb: -1 },
    { maxSize: 'much' },
    { mode: 'x' },
    { durability: 'none' },
    { syncEvery: -1 },
  ]) {
    refuses(t, () => openFmalloc(path.join(directory, 'a.fm'), options), 'ARGUMENT')
  }
  t.deepEqual(fs.readdirSync(directory), [])
})

test('a creation leaves the store alone in its directory', t => {
  const store = freshStore(t)
  t.deepEqual(fs.readdirSync(path.dirname(store.path)), ['store.fm'])
})

test('openFmalloc installs no default store', t => {
  freshStore(t)
  t.is(fmallocDefaultRuntime(), null)
})

test('maxSize limits growth and may be written with a unit', t => {
  const store = freshStore(t, { maxSize: '16 MiB' })
  t.is(store.maxSize, 16 * 2 ** 20)
  refuses(t, () => store.vector('raw', 16 * 2 ** 20), 'NO_SPACE')
  t.is(store.vector('raw', 2 ** 20).length, 2 ** 20)
})

test('two threads of one process that open one new path together share it, and one of them made it', async t => {
  const counts = await inChild(
    t,
    async ({ fm, args, workers, assert }) => {
      const { Worker } = workers
      const gate = new Int32Array(new SharedArrayBuffer(4))
      const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then((fm) => {
        parentPort.postMessage('ready')
        Atomics.wait(workerData.gate, 0, 0)
        const store = fm.openFmalloc(workerData.file)
        store.vector('integer', [workerData.i], { name: 'v' + workerData.i })
        parentPort.postMessage({ created: store.created, uuid: store.uuid })
        parentPort.once('message', () => store.close())
      })`
      const team = Array.from(
        { length: 8 },
        (_, i) => new Worker(code, { eval: true, workerData: { gate, i, ...args } }),
      )
      const next = worker =>
        new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
      await Promise.all(team.map(next))
      const answers = team.map(next)
      Atomics.store(gate, 0, 1)
      Atomics.notify(gate, 0)
      const facts = await Promise.all(answers)
      const store = fm.openFmalloc(args.file)
      assert.equal(store.size, 8)
      for (let i = 0; i < 8; i++) assert.equal(store.getVector(`v${i}`).get(0), i)
      assert.ok(store.verify().ok)
      for (const worker of team) worker.postMessage('done')
      await Promise.all(team.map(worker => new Promise(resolve => worker.once('exit', resolve))))
      store.close()
      return {
        created: facts.filter(({ created }) => created).length,
        uuids: new Set(facts.map(({ uuid }) => uuid)).size,
      }
    },
    { file: freshPath(t), url: new URL('../dist/index.js', import.meta.url).href },
  )
  t.deepEqual(counts, { created: 1, uuids: 1 })
})

test('eight processes that create one path together: one makes it, all find one store', async t => {
  // Writers exclude each other, so each tries until its turn comes; what must not happen is two stores, or a lost vector.
  const file = freshPath(t)
  const team = Array.from({ length: 8 }, (_, i) =>
    start(
      t,
      async ({ fm, args, say, hear, until }) => {
        await say('ready')
        await hear()
        const store = await until('our turn', () => {
          try {
            return fm.openFmalloc(args.file)
          } catch (error) {
            if (error.code === 'ERR_FMALLOC_LOCKED') return false
            throw error
          }
        })
        store.vector('integer', [args.i], { name: `v${args.i}` })
        const facts = { created: store.created, uuid: store.uuid }
        store.close()
        return facts
      },
      { file, i },
    ),
  )
  for (const child of team) t.is(await child.hear(), 'ready')
  for (const child of team) child.send('go')
  const ends = await Promise.all(team.map(child => child.ended))
  t.deepEqual(
    ends.map(({ code, stderr }) => [code, stderr]),
    Array(8).fill([0, '']),
  )
  t.is(ends.filter(({ value }) => value.created).length, 1)
  t.is(new Set(ends.map(({ value }) => value.uuid)).size, 1)
  const store = open(t, file)
  t.deepEqual(
    Array.from({ length: 8 }, (_, i) => store.getVector(`v${i}`).get(0)),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
  t.true(store.verify().ok)
  t.deepEqual(fs.readdirSync(path.dirname(file)), ['store.fm'], 'no temporary is left')
})
