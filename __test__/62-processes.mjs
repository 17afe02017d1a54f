// Processes: one writer or many readers. Who is kept out is told who holds the file.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { inChild, start } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

/** A process that holds `file` open with `options` until it is told to end. */
async function holder(t, file, options = {}) {
  const child = start(
    t,
    async ({ fm, args, say, hear }) => {
      const store = fm.openFmalloc(args.file, args.options)
      await say(store.has('v') ? store.getVector('v').toArray() : [])
      const command = await hear()
      if (command === 'close') {
        store.close()
        await say('closed')
        await hear()
      }
    },
    { file, options },
  )
  const values = await child.hear()
  return {
    ...child,
    values,
    async finish() {
      child.send('end')
      return (await child.ended).code
    },
  }
}

function stored(t) {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  store.close()
  return store.path
}

test('two processes read one file side by side', async t => {
  const file = stored(t)
  const other = await holder(t, file, { readOnly: true })
  t.deepEqual(other.values, [1, 2, 3])
  const here = open(t, file, { readOnly: true })
  t.deepEqual(here.getVector('v').toArray(), [1, 2, 3])
  t.is(await other.finish(), 0)
  t.deepEqual(here.getVector('v').toArray(), [1, 2, 3])
})

for (const readOnly of [false, true]) {
  test(`beside a writer, a ${readOnly ? 'reader' : 'writer'} is refused and the holder named`, async t => {
    const file = stored(t)
    const other = await holder(t, file)
    const error = refuses(t, () => openFmalloc(file, { readOnly }), 'LOCKED')
    if (fs.existsSync('/proc/locks')) t.regex(error.message, new RegExp(`\\b${other.pid}\\b`))
    else t.log('the holder is not checked: this system does not tell it')
    t.is(await other.finish(), 0)
    t.deepEqual(open(t, file, { readOnly }).getVector('v').toArray(), [1, 2, 3])
  })
}

test('beside a reader, a writer is refused and the holder named', async t => {
  const file = stored(t)
  const other = await holder(t, file, { readOnly: true })
  const error = refuses(t, () => openFmalloc(file), 'LOCKED')
  if (fs.existsSync('/proc/locks')) t.regex(error.message, new RegExp(`\\b${other.pid}\\b`))
  else t.log('the holder is not checked: this system does not tell it')
  t.is(await other.finish(), 0)
})

test('a refusal leaves the holder undisturbed and this process without a trace', async t => {
  const file = stored(t)
  const other = await holder(t, file)
  for (let i = 0; i < 50; i++) refuses(t, () => openFmalloc(file), 'LOCKED')
  other.send('close')
  t.is(await other.hear(), 'closed')
  const store = open(t, file)
  store.vector('integer', [4], { name: 'w' })
  t.true(store.verify().ok)
  t.is(await other.finish(), 0)
})

test('the lock goes with a killed process', async t => {
  const file = stored(t)
  const other = await holder(t, file)
  refuses(t, () => openFmalloc(file), 'LOCKED')
  other.kill('SIGKILL')
  t.is((await other.ended).signal, 'SIGKILL')
  t.deepEqual(open(t, file).getVector('v').toArray(), [1, 2, 3])
})

test('a child process started while the store is open does not inherit its lock', async t => {
  const file = stored(t)
  const outer = start(
    t,
    async ({ fm, args, say, hear }) => {
      const { spawn } = await import('node:child_process')
      const store = fm.openFmalloc(args.file)
      const sleeper = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
      await new Promise(resolve => sleeper.once('spawn', resolve))
      store.close()
      await say('closed')
      await hear()
      sleeper.kill('SIGKILL')
    },
    { file },
  )
  t.is(await outer.hear(), 'closed')
  t.deepEqual(open(t, file).getVector('v').toArray(), [1, 2, 3])
  outer.send('end')
  t.is((await outer.ended).code, 0)
})

test('a reader sees what a writer left, and its view stays as it was opened', async t => {
  const file = stored(t)
  const writer = open(t, file)
  writer.getVector('v').set(0, 100)
  writer.vector('numeric', [0.5], { name: 'w' })
  writer.close()
  const found = await inChild(
    t,
    ({ fm, args }) => {
      const store = fm.openFmalloc(args.file, { readOnly: true })
      return [[...store.keys()], store.getVector('v').toArray(), store.getVector('w').toArray()]
    },
    { file },
  )
  t.deepEqual(found, [['v', 'w'], [100, 2, 3], [0.5]])
})

test('a symbolic link does not get around the lock', async t => {
  const file = stored(t)
  const link = path.join(path.dirname(file), 'link.fm')
  fs.symlinkSync(file, link)
  const other = await holder(t, link)
  refuses(t, () => openFmalloc(file), 'LOCKED')
  t.is(await other.finish(), 0)
})

test('many readers in many processes at once', async t => {
  const file = stored(t)
  const team = await Promise.all(Array.from({ length: 4 }, () => holder(t, file, { readOnly: true })))
  for (const { values } of team) t.deepEqual(values, [1, 2, 3])
  t.deepEqual(await Promise.all(team.map(({ finish }) => finish())), [0, 0, 0, 0])
})

test('a ref opens in another process, read-only beside readers', async t => {
  const store = freshStore(t)
  const { ref } = store.vector('integer', [1, 2, 3])
  store.close()
  const here = open(t, store.path, { readOnly: true })
  const found = await inChild(t, ({ fm, args }) => fm.openRef(args.ref, { readOnly: true }).toArray(), {
    ref,
  })
  t.deepEqual(found, [1, 2, 3])
  t.false(here.closed)
})

test('a hundred openings by turns in two processes lose nothing', async t => {
  const file = freshPath(t)
  const other = start(
    t,
    async ({ fm, args, say, hear }) => {
      for (;;) {
        const turn = await hear()
        if (turn === 'end') return
        const store = fm.openFmalloc(args.file)
        store.vector('integer', [turn], { name: `v${turn}` })
        store.close()
        await say('done')
      }
    },
    { file },
  )
  for (let turn = 0; turn < 100; turn += 2) {
    other.send(turn)
    t.is(await other.hear(), 'done')
    const store = openFmalloc(file)
    store.vector('integer', [turn + 1], { name: `v${turn + 1}` })
    store.close()
  }
  other.send('end')
  t.is((await other.ended).code, 0)
  const store = open(t, file)
  t.is(store.size, 100)
  for (let i = 0; i < 100; i++) if (store.getVector(`v${i}`).get(0) !== i) t.fail(`v${i}`)
  t.true(store.verify().ok)
})
