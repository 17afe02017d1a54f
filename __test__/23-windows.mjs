// Windows: shared pieces that cover a vector exactly, each small enough for a view. Plain and prefetching.

import test from 'ava'
import { content, sameBits, TYPES } from './helpers/bytes.mjs'
import { freshStore } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

function joined(type, windows) {
  const parts = windows.map(w => w.toTypedArray())
  const out = new TYPES[type].array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

for (const type of Object.keys(TYPES)) {
  test(`windows of ${type} cover it exactly, in order, none larger than asked`, t => {
    const bits = content(type, 10_007, 5)
    const v = freshStore(t).vector(type, bits)
    for (const bytes of [64, 1000, 4096, '4 KiB', '1 MiB', 10_007 * TYPES[type].width]) {
      const windows = [...v.windows({ bytes })]
      t.true(sameBits(joined(type, windows), bits), `${bytes}`)
      const most = bytes === '4 KiB' ? 4096 : bytes === '1 MiB' ? 2 ** 20 : bytes
      t.true(
        windows.every(w => w.nbytes <= most && w.length > 0),
        `${bytes}`,
      )
    }
  })
}

test('the default window is 64 MiB', t => {
  const v = freshStore(t).vector('raw', 64 * 2 ** 20 + 1)
  t.deepEqual(
    [...v.windows()].map(w => w.length),
    [64 * 2 ** 20, 1],
  )
})

test('a window shares: writes through it, and through its view, are seen', t => {
  const v = freshStore(t).vector('integer', 1000)
  let n = 0
  for (const w of v.windows({ bytes: 400 })) {
    w.view().fill(++n)
    w.set(0, -n)
  }
  t.is(n, 10)
  t.deepEqual([v.get(0), v.get(1), v.get(100), v.get(199), v.get(999)], [-1, 1, -2, 2, 10])
})

test('a window is a subarray that knows where it starts', t => {
  const v = freshStore(t).vector('numeric', 100, { name: 'v' })
  const [, second] = v.windows({ bytes: 80 })
  t.is(second.ref.start, 10)
  t.is(second.length, 10)
  t.is(second.store, v.store)
})

test('an empty vector has no windows', async t => {
  const v = freshStore(t).vector('integer', 0)
  t.deepEqual([...v.windows()], [])
  for await (const w of v.windowsAsync()) t.fail(`a window of ${w.length}`)
})

test('windows of a subarray stay inside it', t => {
  const v = freshStore(t).vector('integer', 100)
  for (const w of v.subarray(10, 90).windows({ bytes: 64 })) w.fill(1)
  t.deepEqual([v.get(9), v.get(10), v.get(89), v.get(90)], [0, 1, 1, 0])
})

test('windows may be left early', t => {
  const v = freshStore(t).vector('integer', 100)
  for (const w of v.windows({ bytes: 40 })) {
    t.is(w.length, 10)
    break
  }
})

test('a window size that is none is refused: at once, and by the asynchronous walk at its first step', async t => {
  const v = freshStore(t).vector('integer', 10)
  for (const bytes of [0, -1, NaN, 'big', '1 KB', '', {}, Infinity]) {
    refuses(t, () => v.windows({ bytes }), 'ARGUMENT')
    await t.throwsAsync(async () => v.windowsAsync({ bytes }).next(), { code: 'ERR_FMALLOC_ARGUMENT' })
  }
})

test('a window size below one element gives one element at a time', t => {
  const v = freshStore(t).vector('complex', 3)
  t.deepEqual(
    [...v.windows({ bytes: 1 })].map(w => w.length),
    [1, 1, 1],
  )
})

test('windowsAsync gives the same windows', async t => {
  const bits = content('numeric', 50_000, 6)
  const v = freshStore(t).vector('numeric', bits)
  const windows = []
  for await (const w of v.windowsAsync({ bytes: '64 KiB' })) windows.push(w)
  t.true(windows.length > 3)
  t.true(sameBits(joined('numeric', windows), bits))
})

test('windowsAsync stops with the reason of its signal', async t => {
  const v = freshStore(t).vector('numeric', 50_000)
  const controller = new AbortController()
  const reason = new Error('enough')
  let n = 0
  const walk = async () => {
    for await (const w of v.windowsAsync({ bytes: '64 KiB', signal: controller.signal })) {
      n += w.length > 0 ? 1 : 0
      controller.abort(reason)
    }
  }
  await t.throwsAsync(walk, { is: reason })
  t.is(n, 1)
  await t.throwsAsync(
    async () => {
      for await (const w of v.windowsAsync({ signal: AbortSignal.abort(reason) }))
        t.fail(`a window of ${w.length}`)
    },
    { is: reason },
  )
})

test('windowsAsync may be left early, and the store closed right after', async t => {
  const store = freshStore(t)
  const v = store.vector('raw', 2 ** 22)
  for await (const w of v.windowsAsync({ bytes: 4096 })) {
    t.is(w.length, 4096)
    break
  }
  store.close()
  t.true(store.closed)
})

test('windows after close or destruction throw, they never end silently', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', 100)
  const walking = v.windows({ bytes: 40 })
  walking.next()
  const async = v.windowsAsync({ bytes: 40 })
  await async.next()
  v.destroy()
  refuses(t, () => walking.next(), 'DESTROYED')
  await t.throwsAsync(() => async.next(), { code: 'ERR_FMALLOC_DESTROYED' })
  store.close()
  refuses(t, () => [...v.windows()], ['CLOSED', 'DESTROYED'])
})

test('two walks at once do not disturb each other', t => {
  const v = freshStore(t).vector(
    'integer',
    Int32Array.from({ length: 100 }, (_, i) => i),
  )
  const a = v.windows({ bytes: 40 })
  const b = v.windows({ bytes: 80 })
  const seen = []
  for (let i = 0; i < 5; i++) seen.push(a.next().value.get(0), b.next().value.get(0))
  t.deepEqual(seen, [0, 0, 10, 20, 20, 40, 30, 60, 40, 80])
})
