// NumPy's files both ways, asked of NumPy itself where there is a Python with it (RFMALLOC_PYTHON names one, or python3 has it). How every kind of
// header and number is read is tested in the core.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { fileWith, freshDirectory, freshStore, open } from './helpers/files.mjs'
import { rejects } from './helpers/refuses.mjs'

const python = process.env.RFMALLOC_PYTHON ?? 'python3'

function numpy(script, cwd) {
  const { status, stdout, stderr } = spawnSync(python, ['-c', script], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`python: ${stderr}`)
  return stdout
}

const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0
const withNumpy = hasNumpy ? test : test.skip
if (!hasNumpy) console.log(`no NumPy in ${python}: 54-npy asks it nothing (set RFMALLOC_PYTHON)`)

const both = [
  ['numeric', [1.5, -0, null, Infinity, NaN, 5e-324]],
  ['integer', [1, -2, 2147483647, null, 0, 7]],
  ['logical', [true, false, true, true, false, false]],
  ['raw', [0, 1, 2, 3, 254, 255]],
  [
    'complex',
    [{ re: 1, im: -2 }, { re: 0, im: 0 }, null, { re: 1e300, im: 1 }, { re: 3, im: 4 }, { re: 5, im: 6 }],
  ],
]

test('vectors, matrices and arrays come back as they were', async t => {
  const store = freshStore(t)
  const folder = freshDirectory(t)
  for (const [type, values] of both) {
    for (const [kind, object] of [
      ['vector', store.vector(type, values)],
      ['matrix', store.matrix(type, [2, 3], { values })],
      ['array', store.array(type, [1, 3, 2], { values })],
    ]) {
      const file = path.join(folder, `${type}-${kind}.npy`)
      const { nbytes } = await object.exportNpy(file)
      t.is(nbytes, fs.statSync(file).size)
      const back = await store.importNpy(file, { name: `${type}-${kind}` })
      t.is(back.kind, kind)
      t.is(back.state, 'committed')
      t.is(store.get(`${type}-${kind}`), back)
      t.deepEqual(back.dim, object.dim)
      t.true(back.equals(object), `${type} ${kind}`)
    }
  }
  t.is(fs.readdirSync(folder).length, 15)
  store.close()
  const again = open(t, store.path)
  t.deepEqual(again.get('integer-matrix').dim, [2, 3])
  t.deepEqual(again.verify({ payloads: true }), { ok: true, faults: [] })
})

test('what cannot be written or read is refused, and nothing is left', async t => {
  const store = freshStore(t)
  const file = path.join(freshDirectory(t), 'x.npy')
  await rejects(t, () => store.vector('character', ['a']).exportNpy(file), 'TYPE')
  await rejects(t, () => store.vector('logical', [true, null]).exportNpy(file), 'VALUE', /element 1 is NA/)
  await rejects(t, () => store.from([1, 2, 3]).subarray(1).exportNpy(file), 'ARGUMENT')
  t.false(fs.existsSync(file))
  const v = store.from([1, 2])
  await v.exportNpy(file)
  await rejects(t, () => v.exportNpy(file), 'EXISTS')
  await v.exportNpy(file, { replace: true })
  await rejects(t, () => store.importNpy(fileWith(t, 'no numbers')), ['CORRUPT', 'LENGTH'])
  await rejects(t, () => store.importNpy('/nowhere.npy'), 'NOT_FOUND')
  const cut = fs.readFileSync(file).subarray(0, -1)
  await rejects(t, () => store.importNpy(fileWith(t, cut)), 'LENGTH')
  store.reset()
  await store.importNpy(file, { name: 'x' })
  await rejects(t, () => store.importNpy(file, { name: 'x' }), 'EXISTS')
  const reason = new Error('no')
  await t.throwsAsync(store.importNpy(file, { signal: AbortSignal.abort(reason) }), { is: reason })
  t.deepEqual([...store.keys()], ['x'])
  t.is(store.diagnose().summary.temporaryBytes, 0)
})

withNumpy('NumPy reads what was written', async t => {
  const store = freshStore(t)
  const folder = freshDirectory(t)
  const m = store.matrix('numeric', [2, 3], { values: [1, 2, 3, 4, 5, 6.5] })
  await m.exportNpy(path.join(folder, 'm.npy'))
  await store
    .array('integer', [2, 2, 2], { values: [0, 1, 2, 3, 4, 5, 6, null] })
    .exportNpy(path.join(folder, 'a.npy'))
  await store.vector('logical', [true, false]).exportNpy(path.join(folder, 'l.npy'))
  await store.vector('raw', [0, 255]).exportNpy(path.join(folder, 'r.npy'))
  await store.from([{ re: 1, im: -2 }]).exportNpy(path.join(folder, 'z.npy'))
  await store.vector('numeric', 0).exportNpy(path.join(folder, 'e.npy'))
  const out = numpy(
    `import numpy as np
for f in 'malrze':
    x = np.load(f + '.npy')
    print(f, x.dtype.str, x.shape, x.tolist())`,
    folder,
  )
  t.deepEqual(out.trim().split('\n'), [
    'm <f8 (2, 3) [[1.0, 3.0, 5.0], [2.0, 4.0, 6.5]]',
    'a <i4 (2, 2, 2) [[[0, 4], [2, 6]], [[1, 5], [3, -2147483648]]]',
    'l |b1 (2,) [True, False]',
    'r |u1 (2,) [0, 255]',
    'z <c16 (1,) [(1-2j)]',
    'e <f8 (0,) []',
  ])
})

withNumpy('what NumPy wrote is read, in every type, byte order, order of elements and version', async t => {
  const store = freshStore(t)
  const folder = freshDirectory(t)
  const types = [
    '?',
    'u1',
    'i1',
    '<i2',
    '>i2',
    '<u2',
    '<i4',
    '>i4',
    '>u4',
    '<i8',
    '>i8',
    '<u8',
    '<f4',
    '>f4',
    '<f8',
    '>f8',
    '<c8',
    '>c8',
    '<c16',
    '>c16',
  ]
  const wanted = JSON.parse(
    numpy(
      `import json, numpy as np
out = []
for k, t in enumerate(${JSON.stringify(types)}):
    for order in 'CF':
        for v in [(1, 0), (2, 0), (3, 0)]:
            x = np.array((np.arange(24) % 2 if t == '?' else np.arange(24)).reshape(2, 3, 4), dtype=t, order=order)
            name = f'{k}{order}{v[0]}.npy'
            with open(name, 'wb') as f: np.lib.format.write_array(f, x, version=v)
            out.append([name, x.astype(float).flatten(order='F').tolist()])
print(json.dumps(out))`,
      folder,
    ),
  )
  t.is(wanted.length, 6 * types.length)
  for (const [name, values] of wanted) {
    const x = await store.importNpy(path.join(folder, name))
    t.deepEqual(x.dim, [2, 3, 4])
    const numbers = x.toArray().map(e => (typeof e === 'object' ? e.re : Number(e)))
    t.deepEqual(numbers, values, `${types[Number.parseInt(name)]} ${name}`)
    x.destroy()
  }
  numpy(
    `import numpy as np
np.save('text.npy', np.array(['a', 'b']))
np.save('when.npy', np.array(['2020-01-01'], dtype='M8[D]'))
np.save('struct.npy', np.zeros(2, dtype=[('a', 'f8'), ('b', 'i4')]))
np.save('big.npy', np.array([2**53 + 1]))
np.save('m.npy', np.arange(300 * 200, dtype='f8').reshape(300, 200).T)
np.save('c.npy', np.arange(3000 * 2000, dtype='f8').reshape(3000, 2000))`,
    folder,
  )
  for (const f of ['text', 'when', 'struct'])
    await rejects(t, () => store.importNpy(path.join(folder, `${f}.npy`)), 'UNSUPPORTED')
  const e = await rejects(t, () => store.importNpy(path.join(folder, 'big.npy')), 'VALUE')
  t.is(e.details.index, 0)
  const m = await store.importNpy(path.join(folder, 'm.npy'))
  t.deepEqual([m.dim, m.get(199, 299), m.get(3, 7)], [[200, 300], 59_999, 7 * 200 + 3])
  const c = await store.importNpy(path.join(folder, 'c.npy'))
  t.deepEqual(
    [c.dim, c.get(0, 1), c.get(2999, 1999), c.get(1234, 567)],
    [[3000, 2000], 1, 5_999_999, 1234 * 2000 + 567],
  )
})
