// Shapes, names and attributes against a plain model in memory: random acts, and after every few the store is closed and opened again, here or in
// another process, or the objects are reached by reference. The seed is in the title of a failure.

import test from 'ava'
import { isFmallocError, openRef } from '../dist/index.js'
import { inChild } from './helpers/child.mjs'
import { freshPath, open } from './helpers/files.mjs'

/** Numbers that are the same for the same seed (mulberry32). */
function random(seed) {
  let a = seed >>> 0
  return n => {
    a = (a + 0x6d2b79f5) >>> 0
    let x = Math.imul(a ^ (a >>> 15), a | 1)
    x = (x + Math.imul(x ^ (x >>> 7), x | 61)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) % n
  }
}

const TEXTS = [
  '',
  'a',
  'NA',
  'twelve bytes',
  'thirteen byte',
  'ü'.repeat(9),
  '💡 much longer than any view holds',
  null,
]
const LENGTH = 12
const SHAPES = [[12], [3, 4], [4, 3], [12, 1], [1, 12], [2, 3, 2], [1, 1, 12, 1], [6, 2]]

/** What one object should be. */
function fresh(type) {
  const values = Array.from({ length: LENGTH }, (_, i) => (type === 'character' ? TEXTS[i % 8] : i))
  return { type, values, dim: null, names: null, dimnames: null, user: {} }
}

const describe = v => ({
  type: v.type,
  values: v.toArray(),
  dim: v.dim,
  names: v.dim?.length === 1 ? null : (v.names?.toArray() ?? null),
  dimnames: v.dimnames?.map(part => part?.toArray() ?? null) ?? null,
  user: Object.fromEntries(
    ['u', 'w'].map(key => [key, v.getAttribute(key)]).filter(([, x]) => x !== undefined),
  ),
})

/** The element at a cell, from the model. */
function offset(dim, at) {
  return at.reduceRight((sum, i, d) => sum * dim[d] + i, 0)
}

const texts = (pick, n) => Array.from({ length: n }, () => TEXTS[pick(TEXTS.length)])

/** One random act on the object and its model; what is refused must leave the model as it is. */
function act(store, name, model, pick) {
  const x = store.get(name)
  switch (pick(9)) {
    case 0: {
      const dim = SHAPES[pick(SHAPES.length)]
      const dimnames =
        pick(2) === 0 ? undefined : dim.map(extent => (pick(2) === 0 ? null : texts(pick, extent)))
      x.reshape(dim, dimnames)
      const isEmpty = dimnames === undefined || dimnames.every(part => part === null)
      return { ...model, dim, names: null, dimnames: isEmpty ? null : dimnames }
    }
    case 1: {
      const names = pick(4) === 0 ? null : texts(pick, LENGTH)
      x.setNames(names)
      if (model.dim?.length === 1) return { ...model, dimnames: names && [names] }
      return { ...model, names }
    }
    case 2: {
      const i = pick(LENGTH)
      const value = model.type === 'character' ? TEXTS[pick(TEXTS.length)] : pick(100)
      if (model.dim === null) x.set(i, value)
      else {
        const at = model.dim.map(extent => pick(extent))
        x.setCell(at, value)
        return { ...model, values: model.values.with(offset(model.dim, at), value) }
      }
      return { ...model, values: model.values.with(i, value) }
    }
    case 3: {
      const [key, value] = [['u', 'w'][pick(2)], [undefined, 1, 'x', [null, { a: 1 }]][pick(4)]]
      x.setAttribute(key, value)
      const { [key]: _old, ...user } = model.user
      return { ...model, user: value === undefined ? user : { ...user, [key]: value } }
    }
    case 4: {
      if (model.dim?.length !== 2) return model
      const [nrow, ncol] = model.dim
      x.transpose({ name, replace: true })
      const values = Array.from(
        { length: LENGTH },
        (_, k) => model.values[Math.floor(k / ncol) + (k % ncol) * nrow],
      )
      return {
        ...model,
        values,
        dim: [ncol, nrow],
        names: null,
        dimnames: model.dimnames?.toReversed() ?? null,
      }
    }
    case 5:
      x.copy({ name, replace: true })
      return model
    case 6: {
      if (model.dim === null) return model
      const dimnames =
        pick(4) === 0 ? null : model.dim.map(extent => (pick(3) === 0 ? null : texts(pick, extent)))
      x.setDimnames(dimnames)
      return { ...model, dimnames: dimnames?.some(part => part !== null) ? dimnames : null }
    }
    case 7: {
      const { names } = x
      if (names === null || model.dim?.length === 1) return model
      const i = pick(LENGTH)
      const text = TEXTS[pick(TEXTS.length)]
      names.set(i, text)
      return { ...model, names: model.names.with(i, text) }
    }
    default: {
      const bad = [
        () => x.reshape([5, 5]),
        () => x.setNames(['a']),
        () => x.reshape([3, 4], [['a'], null]),
        () => x.setNames(texts(pick, 11).concat(undefined)),
        () => x.setAttribute('', 1),
      ][pick(5)]
      try {
        bad()
      } catch (e) {
        if (isFmallocError(e)) return model
        throw e
      }
      throw new Error('a bad argument was accepted')
    }
  }
}

for (const mode of ['persistent', 'scratch']) {
  for (let seed = 1; seed <= 6; seed++) {
    test(`${mode}, seed ${seed}: two hundred random acts leave what the model says`, async t => {
      const pick = random(seed * 7919)
      const file = freshPath(t)
      let store = open(t, file, { mode })
      const models = new Map()
      for (const [name, type] of [
        ['i', 'integer'],
        ['n', 'numeric'],
        ['c', 'character'],
      ]) {
        models.set(name, fresh(type))
        store.vector(type, models.get(name).values, { name })
      }
      for (let k = 1; k <= 200; k++) {
        const name = ['i', 'n', 'c'][pick(3)]
        models.set(name, act(store, name, models.get(name), pick))
        t.deepEqual(describe(openRef(store.get(name).ref)), models.get(name), `act ${k}`)
        if (k % 50 !== 0 || mode === 'scratch') continue
        store.close()
        store = open(t, file)
        for (const [each, model] of models)
          t.deepEqual(describe(store.get(each)), model, `${each} after act ${k}`)
      }
      t.true(store.verify().ok)
      t.is(store.diagnose().summary.temporaries, 0)
      if (mode === 'scratch') return
      store.close()
      const found = await inChild(
        t,
        ({ fm, args }) => {
          const s = fm.openFmalloc(args.file, { readOnly: true })
          const describe = new Function(`return ${args.describe}`)()
          return args.names.map(name => describe(s.get(name)))
        },
        { file, describe: String(describe), names: [...models.keys()] },
      )
      t.deepEqual(found, JSON.parse(JSON.stringify([...models.values()])))
    })
  }
}
