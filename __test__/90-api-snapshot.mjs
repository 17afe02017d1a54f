// The public surface: every exported name, and every method and accessor of the exported classes. A change here is a change that users see;
// write it down with RFMALLOC_UPDATE=1 and review the difference. Also: every row of R's behaviour promised so far has its test.

import { createRequire } from 'node:module'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import * as fm from '../dist/index.js'
import { freshStore } from './helpers/files.mjs'

const SNAPSHOT = new URL('90-api-snapshot.json', import.meta.url)

/** A well-known symbol has another description on each Node. */
const WELL_KNOWN = new Map([
  [Symbol.dispose, '@@dispose'],
  [Symbol.asyncDispose, '@@asyncDispose'],
  [Symbol.for('nodejs.util.inspect.custom'), '@@inspect'],
  [Symbol.iterator, '@@iterator'],
  [Symbol.toPrimitive, '@@toPrimitive'],
])
const keyName = key => WELL_KNOWN.get(key) ?? String(key)

function describe(value) {
  if (typeof value !== 'function') return typeof value
  const own = value.prototype === undefined ? [] : Reflect.ownKeys(value.prototype)
  if (!/^class\b/.test(Function.prototype.toString.call(value))) return 'function'
  return {
    extends: Object.getPrototypeOf(value).name || null,
    static: Reflect.ownKeys(value)
      .filter(key => !['length', 'name', 'prototype'].includes(key))
      .map(keyName)
      .sort(),
    prototype: own
      .filter(key => key !== 'constructor' && !/^\d+$/.test(String(key)))
      .map(keyName)
      .sort(),
  }
}

const surface = Object.fromEntries(
  Object.keys(fm)
    .filter(name => name !== 'default')
    .sort()
    .map(name => [name, describe(fm[name])]),
)

/** Types leave nothing at run time: their names stand in the declarations. */
function exportedTypes() {
  const text = fs.readFileSync(new URL('../dist/index.d.ts', import.meta.url), 'utf8')
  const lists = [...text.matchAll(/export type \{([^}]*)\}/g)].flatMap(([, names]) => names.split(','))
  return lists
    .map(name => name.trim())
    .filter(Boolean)
    .sort()
}

test('the exported names, types included, and the members of the classes are those of the snapshot', t => {
  const all = { ...surface, '(types)': exportedTypes() }
  if (process.env.RFMALLOC_UPDATE) fs.writeFileSync(SNAPSHOT, `${JSON.stringify(all, null, 2)}\n`)
  t.deepEqual(all, JSON.parse(fs.readFileSync(SNAPSHOT, 'utf8')))
})

test('require gives the same implementation as import', t => {
  const required = createRequire(import.meta.url)('rfmalloc')
  for (const name of Object.keys(surface)) t.is(required[name], fm[name], name)
})

test('the package imports itself by name', async t => {
  const byName = await import('rfmalloc')
  t.is(byName.Store, fm.Store)
})

test('what the first phase promises is exported', t => {
  const functions =
    `openFmalloc initFmalloc cleanupFmalloc createFmallocVector destroyFmallocVector listFmallocAllocations diagnoseFmallocRuntime
    fmallocDefaultRuntime isFmallocRuntime isFmallocVector fmallocRuntime fmallocRuntimeInfo fmallocVectorType fmallocVectorLength fmallocVectorInfo
    fmallocSet fmallocFill fmallocSync fmallocStorageAdvise fmallocOptions serializeFmalloc unserializeFmalloc openRef createMmapVector
    captureWarnings isFmallocError`.split(/\s+/)
  for (const name of functions) t.is(typeof fm[name], 'function', name)
  for (const name of ['Store', 'Vector', 'FmallocError'])
    t.regex(Function.prototype.toString.call(fm[name]), /^class\b/, name)
  const vector =
    `get set at write readInto fill view windows windowsAsync subarray slice copy toArray toTypedArray toJSON toString equals
    advise prefetch release keep destroy seal sync`.split(/\s+/)
  for (const name of vector) t.is(typeof fm.Vector.prototype[name], 'function', `Vector.${name}`)
  const store =
    `vector from get getVector has keys entries set delete sync syncNow verify verifyAsync tidy allocate allocations diagnose toJSON
    close compact compactAsync compactTo reset`.split(/\s+/)
  for (const name of store) t.is(typeof fm.Store.prototype[name], 'function', `Store.${name}`)
})

test('the classes cannot be constructed from outside', t => {
  for (const name of ['Store', 'Vector']) {
    t.throws(() => new fm[name](), undefined, name)
    t.throws(() => new fm[name](1, 2, 3), undefined, name)
  }
})

test('a handle shows no inner property', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  // One enumerable key is there on purpose: it stops structuredClone and makes deepEqual right.
  t.is(Object.keys(v).length, 1)
  t.is(Object.keys(store).length, 1)
  t.is(typeof Object.values(v)[0], 'symbol')
})

test('metadata cannot be overwritten', t => {
  const v = freshStore(t).vector('integer', [1, 2])
  for (const key of ['length', 'type', 'name', 'state', 'nbytes', 'store', 'ref']) {
    t.throws(
      () => {
        v[key] = 99
      },
      { instanceOf: TypeError },
      key,
    )
  }
  t.is(v.length, 2)
})

test("every promised row of R's behaviour has a test whose title begins with its number", t => {
  const range = (major, from, to, except = []) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i)
      .filter(n => !except.includes(n))
      .map(n => `${major}.${n}`)
  const rows = [
    ...range(1, 1, 18),
    ...range(1, 20, 22),
    ...range(1, 30, 38),
    ...range(2, 1, 14),
    ...range(2, 20, 24),
    ...range(2, 30, 31),
    ...range(2, 50, 53),
    ...range(2, 40, 45),
    ...range(4, 1, 8),
    ...range(5, 1, 9),
    ...range(6, 1, 9),
    ...range(6, 20, 24),
    ...range(7, 1, 5),
    ...range(7, 7, 12),
    '13.1',
    '13.3',
    '13.4',
    '13.8',
  ]
  const here = fileURLToPath(new URL('.', import.meta.url))
  const source = fs
    .readdirSync(here)
    .filter(name => name.endsWith('.mjs'))
    .map(name => fs.readFileSync(`${here}${name}`, 'utf8'))
    .join('\n')
  const titled = new Set(
    [...source.matchAll(/\b(?:test(?:\.serial)?|both)\(\s*['"`](\d+\.\d+) /g)].map(([, row]) => row),
  )
  t.deepEqual(
    rows.filter(row => !titled.has(row)),
    [],
  )
})
