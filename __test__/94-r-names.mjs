// The R-named layer as a whole: no function of R's package may be forgotten, none may be exported under another name, and nothing may be
// exported that the table does not know.

import test from 'ava'
import { readFileSync } from 'node:fs'
import { page, render } from '../scripts/r-table.mjs'
import * as fm from '../dist/index.js'
import { freshStore } from './helpers/files.mjs'
import { BASE, camelCase, DROPPED, LATER, OURS, PACKAGE, words } from './helpers/r-functions.mjs'

/** Whether an export, or a member of a class, is there. */
function exists(name) {
  const [owner, member] = name.split('.')
  if (member === undefined) return typeof fm[owner] === 'function'
  for (let proto = fm[owner]?.prototype; proto; proto = Object.getPrototypeOf(proto)) {
    if (Object.hasOwn(proto, member)) return true
  }
  return false
}

test("every function of R's package is exported under its name in camelCase", t => {
  t.deepEqual(
    PACKAGE.map(camelCase).filter(name => !exists(name)),
    [],
  )
})

test("what comes later of R's package is not there yet, and each function is named once", t => {
  const later = Object.values(LATER).flatMap(words)
  t.deepEqual(
    later.filter(name => camelCase(name) in fm),
    [],
    'it is there: move it to PACKAGE',
  )
  const all = [...PACKAGE, ...later, ...Object.keys(DROPPED)]
  t.is(new Set(all).size, all.length)
})

/** Classes that have no instances yet: their constructors refuse, and their members come with them. */
function awaited(t) {
  const store = freshStore(t)
  const makers = {
    List: () => store.list([]),
    DataFrame: () => store.dataFrame({}),
    NdArray: () => store.array('numeric', [1]),
    Matrix: () => store.matrix('numeric', [1, 1]),
  }
  return Object.keys(makers).filter(name => {
    try {
      makers[name]()
      return false
    } catch (e) {
      return fm.isFmallocError(e, 'ERR_FMALLOC_UNSUPPORTED')
    }
  })
}

test('every function of base R that the package promises has its counterpart', t => {
  const later = awaited(t)
  const targets = [...Object.values(BASE), ...Object.values(DROPPED)].flatMap(words)
  t.deepEqual(
    targets.filter(name => !exists(name) && !later.includes(name.split('.')[0])),
    [],
  )
})

test('nothing is exported that the table does not know', t => {
  const known = new Set([
    ...PACKAGE.map(camelCase),
    ...Object.values(BASE).flatMap(words),
    ...Object.values(OURS).flatMap(words),
  ])
  t.deepEqual(
    Object.keys(fm).filter(name => name !== 'default' && !known.has(name)),
    [],
  )
  t.deepEqual(
    Object.values(OURS)
      .flatMap(words)
      .filter(name => !(name in fm)),
    [],
  )
})

test('the page for people who know R is made from this table', t => {
  t.is(readFileSync(page, 'utf8'), render(), 'run: node scripts/r-table.mjs')
})
