// Strings in number, and short ones read where they stand: every kind comes back from every way of reading, in another opening, too.

import fs from 'node:fs'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'

const n = 1_000_000

/** String `i`: empty, missing, the text NA, twelve and thirteen bytes, four-byte characters, and one of a mebibyte. */
function textOf(i) {
  if (i === 777_777) return 'm'.repeat(1 << 20)
  switch (i % 8) {
    case 0:
      return ''
    case 1:
      return null
    case 2:
      return 'NA'
    case 3:
      return `${i}`.padStart(12, '.')
    case 4:
      return `${i}`.padStart(13, '.')
    case 5:
      return '😀'.repeat(1 + (i % 5))
    case 6:
      return `ä${i}`
    default:
      return `${i}`
  }
}

test('a million strings of every kind come back from create, another opening, toArray, iteration and get', t => {
  const texts = Array.from({ length: n }, (_, i) => textOf(i))
  const store = freshStore(t)
  store.vector('character', texts, { name: 'v' })
  const { path } = store
  store.close()
  const v = open(t, path, { readOnly: true }).get('v')
  t.is(v.length, n)
  const differs = read => texts.findIndex((text, i) => read(i) !== text)
  const all = v.toArray()
  t.is(all.length, n)
  t.is(
    differs(i => all[i]),
    -1,
    'toArray',
  )
  let at = 0
  let first = -1
  for (const text of v) if (text !== texts[at++] && first < 0) first = at - 1
  t.deepEqual([at, first], [n, -1], 'iteration')
  t.is(
    differs(i => v.get(i)),
    -1,
    'get',
  )
})

test('get reads every ASCII string that stands in its view, of each length, with NUL in it, from a part', t => {
  const texts = ['']
  for (let length = 1; length <= 12; length++) {
    for (let k = 0; k < length; k++) {
      for (const c of ['\0', '\x7f', 'x']) texts.push('a'.repeat(k) + c + 'b'.repeat(length - k - 1))
    }
  }
  const v = freshStore(t).vector('character', ['before', ...texts])
  const part = v.subarray(1)
  for (const [i, text] of texts.entries()) t.is(part.get(i), text)
  for (const text of [null, 'of thirteen b', 'ü', 'short']) {
    v.set(3, text)
    t.is(v.get(3), text)
    t.is(part.get(2), text)
  }
})

test('get refuses a short view with bytes behind its text, whichever they are', t => {
  const store = freshStore(t)
  const texts = Array.from({ length: 12 }, (_, i) => 'abcdefghijkl'.slice(0, i))
  store.vector('character', texts, { name: 'v' })
  const { path } = store
  store.close()
  const whole = fs.readFileSync(path)
  const views = Buffer.alloc(16 * 12)
  for (const [i, text] of texts.entries()) views[16 * i] = views.write(text, 16 * i + 4)
  const off = whole.indexOf(views)
  t.true(off > 0)
  for (let length = 0; length < 12; length++) {
    for (let k = length; k < 12; k++) {
      const bytes = Buffer.from(whole)
      bytes[off + 16 * length + 4 + k] = 0x41
      fs.writeFileSync(path, bytes)
      const hostile = openFmalloc(path, { readOnly: true })
      refuses(t, () => hostile.get('v').get(length), 'CORRUPT')
      hostile.close()
    }
  }
})

test('a string that another thread writes meanwhile is the old one or the new one', async t => {
  const both = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb', 'of more than twelve', null]
  const v = freshStore(t).vector('character', both.slice(0, 1), { name: 'v' })
  const turns = new Int32Array(new SharedArrayBuffer(8))
  const { run } = thread(t)
  const writer = run(
    ({ fm, args }) => {
      const mine = fm.openRef(args.ref)
      Atomics.store(args.turns, 0, 1)
      Atomics.notify(args.turns, 0)
      for (let i = 0; Atomics.load(args.turns, 1) === 0; i++) mine.set(0, args.both[i % args.both.length])
    },
    { ref: v.ref, both, turns },
  )
  Atomics.wait(turns, 0, 0)
  const seen = new Set()
  for (let i = 0; i < 500_000; i++) seen.add(v.get(0))
  Atomics.store(turns, 1, 1)
  await writer
  t.deepEqual(
    [...seen].filter(text => !both.includes(text)),
    [],
  )
})
