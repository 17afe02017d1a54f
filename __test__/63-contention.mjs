// Many processes want one file, in every mode, and the one that has it is killed at random. An independent witness, a board in memory that
// all processes share, says who believes to be the writer: never two, never beside a reader. Nobody waits for ever.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { createMmapVector } from '../dist/index.js'
import { random } from './helpers/bytes.mjs'
import { start } from './helpers/child.mjs'
import { fastRoot, freshDirectory, open } from './helpers/files.mjs'
import { deadline, until } from './helpers/waiting.mjs'

const SEED = Number(process.env.RFMALLOC_SEED ?? Math.floor(Math.random() * 2 ** 28))

// The board, int32 words: the writer's ticket and the acknowledged count of each file, whether to stop, how many lies were seen, then
// by ticket who was killed, by place the tickets of the readers of each file and the turns taken.
const PLACES = 8
const BOARD = { writer: 0, count: 2, stop: 4, lies: 5, turns: 16, readers: 32, killed: 64, words: 4096 }

/** One of the crowd: opens in some mode again and again, and watches the board while it is in. */
async function crowd({ fm, args, say, bytes, codeOf }) {
  const { board: at, ticket, place, files } = args
  const board = fm.createMmapVector(args.file, at.words).view()
  const rng = bytes.random(args.seed)
  const lie = async what => {
    Atomics.add(board, at.lies, 1)
    await say(`ticket ${ticket}: ${what}`)
  }
  const isIn = other => other !== 0 && other !== ticket && Atomics.load(board, at.killed + other) === 0
  const counts = {}
  const linger = () => {
    for (let n = rng.below(20_000); n > 0; n--);
  }

  async function write(f, store) {
    const before = Atomics.exchange(board, at.writer + f, ticket)
    if (isIn(before)) await lie(`writes file ${f} beside writer ${before}`)
    for (let p = 0; p < 8; p++) {
      const reader = Atomics.load(board, at.readers + f * 8 + p)
      if (isIn(reader)) await lie(`writes file ${f} beside reader ${reader}`)
    }
    if (f === 0) {
      const v = store.get('count') ?? store.vector('integer', 1, { name: 'count' })
      const n = v.get(0)
      const acknowledged = Atomics.load(board, at.count)
      if (n !== acknowledged && n !== acknowledged + 1)
        await lie(`found ${n}, acknowledged were ${acknowledged}`)
      v.set(0, n + 1)
      Atomics.store(board, at.count, n + 1)
      store.vector('raw', 1 + rng.below(5000), { name: `of ${place}`, replace: true })
    } else store.vector('raw', 1 + rng.below(5000)).fill(place)
    linger()
    const again = fm.openFmalloc(files[f], { mode: store.mode })
    if (again.created) await lie('opened again, it was new')
    again.close()
    const still = Atomics.compareExchange(board, at.writer + f, ticket, 0)
    if (still !== ticket) await lie(`while it wrote file ${f}, writer ${still} came`)
  }

  async function read(store) {
    Atomics.store(board, at.readers + place, ticket)
    const writer = Atomics.load(board, at.writer)
    if (isIn(writer)) await lie(`reads beside writer ${writer}`)
    if (store.has('count')) {
      const first = store.getVector('count').get(0)
      linger()
      if (store.getVector('count').get(0) !== first) await lie('what it reads has changed')
    }
    Atomics.store(board, at.readers + place, 0)
  }

  const turns = [
    [0, {}],
    [0, { create: false }],
    [0, { lockTimeout: 20 }],
    [0, { readOnly: true }],
    [0, { readOnly: true, lockTimeout: 20 }],
    [0, { mode: 'scratch', create: false }],
    [1, { mode: 'scratch' }],
    [1, { mode: 'scratch', create: false, lockTimeout: 20 }],
    [1, { readOnly: true }],
  ]
  while (Atomics.load(board, at.stop) === 0) {
    const [f, options] = rng.pick(turns)
    let store
    const outcome = codeOf(() => {
      store = fm.openFmalloc(files[f], options)
      return 'open'
    })
    counts[outcome] = (counts[outcome] ?? 0) + 1
    const wrongMode = f === 0 ? options.mode === 'scratch' : options.mode === undefined
    const fine = [
      'ERR_FMALLOC_LOCKED',
      ...(options.create === false || options.readOnly ? ['ERR_FMALLOC_NOT_FOUND'] : []),
    ]
    fine.push(wrongMode ? 'ERR_FMALLOC_MODE' : 'returned open')
    if (!fine.includes(outcome)) await lie(`${JSON.stringify(options)}: ${outcome}`)
    if (store !== undefined) {
      await (options.readOnly ? read(store) : write(f, store))
      store.close()
    }
    Atomics.add(board, at.turns + place, 1)
    await new Promise(resolve => setImmediate(resolve))
  }
  return counts
}

for (const [size, kills] of [
  [2, 6],
  [4, 8],
  [8, 8],
]) {
  test.serial(
    `${size} processes in all modes, ${kills} holders killed: one writer or many readers, and nobody waits for ever`,
    async t => {
      const seed = SEED + size
      t.log(`seed ${seed}`)
      const rng = random(seed)
      const folder = freshDirectory(t, fastRoot())
      const files = [path.join(folder, 'store.fm'), path.join(folder, 'scratch.fm')]
      const file = path.join(folder, 'board')
      const board = createMmapVector(file, BOARD.words).view()
      let tickets = 0
      const lies = []
      const enter = place => {
        const ticket = ++tickets
        const args = { board: BOARD, file, files, ticket, place, seed: seed + ticket * 7919 }
        const child = { ticket, ...start(t, crowd, args) }
        const listen = () =>
          child.hear().then(
            text => (lies.push(text), listen()),
            () => {},
          )
        void listen()
        return child
      }
      const team = Array.from({ length: size }, (_, place) => enter(place))
      const turns = () => Array.from({ length: PLACES }, (_, p) => Atomics.load(board, BOARD.turns + p))
      const sum = () => turns().reduce((a, b) => a + b, 0)
      for (let n = 0; n < kills; n++) {
        const from = sum()
        const more = 1 + rng.below(40)
        await until(`${more} turns`, () => sum() >= from + more || Atomics.load(board, BOARD.lies) > 0)
        // The holder, if there is one just now.
        const holder = Atomics.load(board, BOARD.writer)
        const held = team.findIndex(({ ticket }) => ticket === holder)
        const place = held >= 0 ? held : rng.below(size)
        Atomics.store(board, BOARD.killed + team[place].ticket, 1)
        team[place].kill('SIGKILL')
        t.is((await team[place].ended).signal, 'SIGKILL')
        Atomics.compareExchange(board, BOARD.readers + place, team[place].ticket, 0)
        team[place] = enter(place)
      }
      // Everybody gets on, also those who came last.
      const from = turns()
      await until('a turn of each', () => team.every((_, place) => turns()[place] > from[place]))
      Atomics.store(board, BOARD.stop, 1)
      const ends = await deadline('the end of all', Promise.all(team.map(({ ended }) => ended)))
      t.deepEqual(lies, [])
      t.deepEqual(
        ends.map(({ code }) => code),
        team.map(() => 0),
        ends.map(({ stderr }) => stderr).join('\n'),
      )
      t.log(
        `${sum()} turns, ${Atomics.load(board, BOARD.count)} times written; ${JSON.stringify(ends[0].value)}`,
      )
      const store = open(t, files[0])
      const n = store.getVector('count').get(0)
      t.true(n === Atomics.load(board, BOARD.count) || n === Atomics.load(board, BOARD.count) + 1)
      t.deepEqual(store.verify(), { ok: true, faults: [] })
    },
  )
}

test.serial('the witness sees two writers where there are two', async t => {
  // Two processes that keep to one board but not to one file: no lock is between them.
  const folder = freshDirectory(t, fastRoot())
  const file = path.join(folder, 'board')
  const board = createMmapVector(file, BOARD.words).view()
  const team = [0, 1].map(place => {
    const files = [path.join(folder, `${place}.fm`), path.join(folder, `${place}.scratch`)]
    return start(t, crowd, { board: BOARD, file, files, ticket: place + 1, place, seed: SEED + place })
  })
  const [seen] = await Promise.all([
    Promise.any(team.map(async child => deadline('a lie', child.hear()))),
    until('lies', () => Atomics.load(board, BOARD.lies) > 0),
  ])
  t.regex(seen, /beside (writer|reader)|writer \d came|acknowledged were/)
  Atomics.store(board, BOARD.stop, 1)
  for (const { ended } of team) await ended
})

/** Eight creators of each path: the main threads and a worker each of four processes. */
async function creator({ fm, args, say, hear, workers }) {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.url).then(fm => {
      let store
      parentPort.on('message', task => {
        if (task === 'close') {
          store?.close()
          return parentPort.postMessage('closed')
        }
        const { file, options } = task
        let outcome
        store = undefined
        try {
          store = fm.openFmalloc(file, options)
          outcome = store.created ? 'created' : 'opened'
          store.vector('integer', [workerData.me], { name: 'by ' + workerData.me })
        } catch (error) { outcome = error.code }
        if (options.lockTimeout) store?.close()
        parentPort.postMessage(outcome)
      })
      parentPort.postMessage('here')
    })`
  const worker = new workers.Worker(code, { eval: true, workerData: { url: args.url, me: args.me * 2 + 1 } })
  const answer = () => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await answer()
  await say('here')
  for (;;) {
    const task = await hear()
    if (task === 'end') return void (await worker.terminate())
    const its = answer()
    worker.postMessage(task)
    let store
    let mine
    try {
      store = fm.openFmalloc(task.file, task.options)
      mine = store.created ? 'created' : 'opened'
      store.vector('integer', [args.me * 2], { name: `by ${args.me * 2}` })
    } catch (error) {
      mine = error.code
    }
    // A waiting turn is over at once, so that the next process gets in; otherwise all hold what they have until everybody has answered.
    if (task.options.lockTimeout) store?.close()
    await say([mine, await its])
    if (task.options.lockTimeout) continue
    await hear()
    store?.close()
    const closed = answer()
    worker.postMessage('close')
    await closed
    await say('closed')
  }
}

test.serial(
  'eight creators of one path, also through a dangling link: one makes it, nobody meets a half-made file',
  async t => {
    const folder = freshDirectory(t, fastRoot())
    const url = new URL('../dist/index.js', import.meta.url).href
    const team = Array.from({ length: 4 }, (_, me) => start(t, creator, { me, url }))
    for (const child of team) t.is(await child.hear(), 'here')
    for (let n = 0; n < 40; n++) {
      const place = path.join(folder, `${n}.fm`)
      const file = n % 2 === 0 ? place : path.join(folder, `link-${n}`)
      if (n % 2 === 1) fs.symlinkSync(`${n}.fm`, file)
      if (n % 4 === 2) fs.writeFileSync(place, '') // an empty file is initialised in place
      const waits = n % 5 === 0
      for (const child of team) child.send({ file, options: waits ? { lockTimeout: 30_000 } : {} })
      const answers = (await Promise.all(team.map(child => child.hear()))).flat()
      t.is(answers.filter(answer => answer === 'created').length, 1, `round ${n}: ${answers}`)
      const others = answers.filter(answer => answer !== 'created')
      t.true(
        others.every(answer => answer === 'opened' || (!waits && answer === 'ERR_FMALLOC_LOCKED')),
        `round ${n}: ${answers}`,
      )
      if (!waits) {
        t.is(answers.filter(answer => answer === 'opened').length, 1, 'the other thread of the maker')
        for (const child of team) child.send('close')
        for (const child of team) t.is(await child.hear(), 'closed')
      }
      if (n % 2 === 1) t.true(fs.lstatSync(file).isSymbolicLink())
      const store = open(t, place, { readOnly: true, lockTimeout: 30_000 })
      t.is(store.size, waits ? 8 : 2)
      t.true(store.verify().ok)
      store.close()
    }
    for (const child of team) child.send('end')
    for (const child of team) t.is((await child.ended).code, 0)
    t.deepEqual(
      fs.readdirSync(folder).filter(name => !/^(\d+\.fm|link-\d+)$/.test(name)),
      [],
    )
  },
)
