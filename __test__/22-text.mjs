// Character vectors: every string comes back as it was written, in bulk and one by one, and nothing that is no string gets in.

import test from 'ava'
import { createFmallocVector, createMmapVector, openFmalloc } from '../dist/index.js'
import { fileWith, freshStore } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

const KINDS = [
  '',
  null,
  'NA',
  '123456789012',
  '1234567890123',
  'aä€😀',
  '😀😀😀😀',
  'a\0b',
  '\0',
  '<NA of rfmalloc>',
  'x'.repeat(1 << 20),
]

test('every kind of string comes back, one by one, in bulk, in another opening', t => {
  const store = freshStore(t)
  const v = store.vector('character', KINDS, { name: 'v' })
  const w = store.vector('character', KINDS.length, { name: 'w' })
  t.is(v.type, 'character')
  t.is(v.nbytes, 16 * KINDS.length)
  t.true(w.toArray().every(s => s === ''))
  for (const [i, s] of [...KINDS.entries()].reverse()) t.is(w.set(i, 'something that is longer').set(i, s), w)
  const check = (x, label) => {
    t.deepEqual(x.toArray(), KINDS, label)
    t.deepEqual([...x], KINDS, label)
    for (const [i, s] of KINDS.entries()) t.is(x.get(i), s, label)
    t.is(x.at(-1), KINDS.at(-1))
    t.is(x.at(KINDS.length), undefined)
  }
  check(v, 'v')
  check(w, 'w')
  t.true(v.equals(w))
  t.false(v.slice(1).equals(w.slice(0, -1)))
  const { path } = store
  store.close()
  for (const readOnly of [false, true]) {
    const again = openFmalloc(path, { readOnly })
    check(again.get('v'), 'v again')
    check(again.get('w'), 'w again')
    t.true(again.verify({ payloads: true }).ok)
    again.close()
  }
})

test('ranges: write, fill, slice, copy, map, as', t => {
  const store = freshStore(t)
  const other = freshStore(t)
  const v = store.from(['a', null, 'a string with more bytes'], { name: 'v' })
  t.is(v.type, 'character')
  v.write(['b', null], 1)
  t.deepEqual(v.toArray(), ['a', 'b', null])
  v.write(new Set(['twelve bytes and more', 'c']))
  t.deepEqual(v.toArray(), ['twelve bytes and more', 'c', null])
  v.write(store.from(['d', 'twelve bytes, too, and more']), 1)
  t.deepEqual(v.subarray(1).toArray(), ['d', 'twelve bytes, too, and more'])
  t.deepEqual(v.slice(-2, -1).toArray(), ['d'])
  t.deepEqual(v.copy({ into: other }).toArray(), v.toArray())
  t.deepEqual(v.map(s => `${s}!`, 'character').toArray()[1], 'd!')
  t.deepEqual(v.map(s => s.length, 'integer').toArray(), [21, 1, 27])
  t.deepEqual(
    store
      .from([1, 2])
      .map(x => (x === 1 ? null : `${x}`), 'character')
      .toArray(),
    [null, '2'],
  )
  t.is(v.subarray(0, 2).fill('filled with a text that is long').length, 2)
  t.deepEqual(
    v.toArray().map(s => s.slice(0, 6)),
    ['filled', 'filled', 'twelve'],
  )
  t.deepEqual(v.set([0, 2], 'x').set([1], [null]).toArray(), ['x', null, 'x'])
  t.deepEqual(store.vector('character', v).toArray(), v.toArray())
  t.deepEqual(createFmallocVector('character', 2, store).toArray(), ['', ''])
  t.is(JSON.stringify(v), '["x",null,"x"]')
})

test('what is no string is refused before anything is written', t => {
  const store = freshStore(t)
  const v = store.vector('character', ['a', null], { name: 'v' })
  for (const bad of [undefined, 1, true, {}, ['a'], Symbol('a')]) {
    refuses(t, () => v.set(0, bad), 'VALUE')
    refuses(t, () => v.write(['b', bad]), 'VALUE')
    refuses(t, () => v.fill(bad), 'VALUE')
    refuses(t, () => v.map(() => bad, 'character'), 'VALUE')
  }
  for (const bad of ['\ud800', 'a\udc00b', 'ab\udbff']) {
    refuses(t, () => v.set(0, bad), 'ENCODING', /surrogate/)
    refuses(t, () => v.write(['b', bad]), 'ENCODING')
    refuses(t, () => v.fill(bad), 'ENCODING')
    refuses(t, () => store.from([bad]), 'ENCODING')
  }
  // Side by side they would be a pair.
  refuses(t, () => store.from(['\0', '\ud83d', '\ude00']), 'ENCODING')
  refuses(t, () => v.write(['b', 'c', 'd']), 'OUT_OF_BOUNDS')
  refuses(
    t,
    () =>
      v.write(
        (function* () {
          for (;;) yield 'b'
        })(),
      ),
    'OUT_OF_BOUNDS',
  )
  refuses(t, () => v.get(2), 'OUT_OF_BOUNDS')
  refuses(t, () => v.view(), 'TYPE', /toArray/)
  refuses(t, () => v.toTypedArray(), 'TYPE')
  refuses(t, () => v.windows(), 'TYPE')
  refuses(t, () => v.windowsAsync(), 'TYPE')
  refuses(t, () => v.readInto(new Int32Array(8)), 'TYPE')
  refuses(t, () => createMmapVector(fileWith(t, Buffer.alloc(16), 'plain'), 1, { type: 'character' }), 'TYPE')
  t.deepEqual(v.toArray(), ['a', null])
  t.is(store.size, 1)
})

test('values of other types become text as R writes them', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('character', [1, 0.1, 1e5, null, NaN]).toArray(), [
    '1',
    '0.1',
    '1e+05',
    null,
    'NaN',
  ])
  t.deepEqual(store.vector('character', [true, 'a', 2, null]).toArray(), ['TRUE', 'a', '2', null])
  t.deepEqual(store.vector('character', Int32Array.of(7, -2147483648)).toArray(), ['7', null])
  t.deepEqual(store.from(['x', 1, false]).toArray(), ['x', '1', 'FALSE'])
  t.deepEqual(store.from(['1', ' 2.5 ', 'NA', null]).as('numeric').toArray(), [1, 2.5, null, null])
  refuses(t, () => store.vector('character', ['a', undefined]), 'VALUE')
  refuses(t, () => store.vector('character', [{}]), 'VALUE')
})

test('comparison is by code point, NA gives NA', t => {
  const store = freshStore(t)
  const texts = [
    '',
    null,
    'a',
    'ab',
    'a\0',
    'exactly twelv',
    'exactly twelw',
    'é',
    '€',
    '😀',
    '\uffff',
    'twelve bytes',
  ]
  const v = store.from(texts, { name: 'v' })
  // JavaScript compares UTF-16 units: the order of bytes is that of code points.
  const order = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))
  const is = {
    eq: c => c === 0,
    ne: c => c !== 0,
    lt: c => c < 0,
    le: c => c <= 0,
    gt: c => c > 0,
    ge: c => c >= 0,
  }
  for (const [op, yes] of Object.entries(is)) {
    for (const y of texts) {
      const wanted = texts.map(x => (x === null || y === null ? null : yes(order(x, y))))
      t.deepEqual(v[op](y).toArray(), wanted, `${op} ${y}`)
      t.deepEqual(v[op]([y]).toArray(), wanted, `${op} [${y}]`)
    }
    const back = [...texts].reverse()
    const wanted = texts.map((x, i) => (x === null || back[i] === null ? null : yes(order(x, back[i]))))
    t.deepEqual(v[op](store.from(back)).toArray(), wanted, op)
    t.deepEqual(v[op](back, { name: op, replace: true }).toArray(), wanted, op)
  }
  t.is(v.eq('a').type, 'logical')
  t.deepEqual(
    v.isNa().toArray(),
    texts.map(x => x === null),
  )
  // The shorter one is recycled; numbers are compared as text.
  t.deepEqual(
    store
      .from(['1', '2', '3', '1'])
      .eq(store.from(['1', '3']))
      .toArray(),
    [true, false, false, false],
  )
  t.deepEqual(store.from(['10', '9']).lt(9.5).toArray(), [true, true])
  t.deepEqual(store.from(['TRUE']).eq(true).toArray(), [true])
  t.deepEqual(v.eq([]).toArray(), [])
  refuses(t, () => v.eq('\ud800'), 'ENCODING')
  refuses(t, () => v.eq(undefined), ['TYPE', 'VALUE'])
})
