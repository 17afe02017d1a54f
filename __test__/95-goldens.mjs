// The runner of the goldens, which decides whether our answers are R's. What it must never do: pass a wrong answer, pass what the package
// does not have, take a bug for a refusal, or leave a case out.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import * as fm from '../dist/index.js'
import { difference } from '../scripts/goldens/compare.mjs'
import { readCases } from '../scripts/goldens/folder.mjs'
import { OPERATIONS } from '../scripts/goldens/operations.mjs'
import { configurations, runCases } from '../scripts/goldens/run.mjs'
import { selfTest } from '../scripts/goldens/self-test.mjs'
import { freshDirectory } from './helpers/files.mjs'
import { Refused, replay } from './helpers/replay.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const [ONE, TWO, HALF] = ['3ff0000000000000', '4000000000000000', '3fe0000000000000']
const [NA, NAN] = ['7ff00000000007a2', '7ff8000000000000']

const numeric = (...values) => ({ type: 'numeric', values })
const integer = (...values) => ({ type: 'integer', values })
const matrix = { ...integer(1, 2, 3, 4), dim: [2, 2], dimnames: [['a', 'b'], null] }
const golden = (op, args, expect, more = {}) => ({
  id: `own-${op}`,
  group: 'own',
  op,
  args,
  params: {},
  expect,
  warn: [],
  error: false,
  ...more,
})

/** Two values of every type and shape. */
const VALUES = [
  { type: 'logical', values: [true, null] },
  integer(7, null),
  numeric(ONE, NA, NAN, '8000000000000000'),
  {
    type: 'complex',
    values: [
      [ONE, NA],
      [NA, NAN],
      [HALF, TWO],
    ],
  },
  { type: 'character', values: ['a', null, '', 'NA', 'é😀'] },
  { type: 'raw', values: [0, 255] },
  { ...integer(1, 2), names: ['x', null] },
  matrix,
  { ...numeric(ONE, TWO), dim: [1, 2, 1], dimnames: [['r'], ['p', null], null] },
  {
    type: 'list',
    values: [integer(1), { type: 'null' }, { type: 'list', values: [] }],
    names: ['i', '', 'l'],
  },
  integer(),
]

const both = (modes = ['persistent', 'scratch']) =>
  configurations({ modes, styles: ['methods', 'free'], threads: [undefined], subarrays: false })

/** The verdict on one case answered by a replayed package. */
function verdictOn(t, one, { calls, instead, configs = both(['persistent']) } = {}) {
  return runCases(replay(one, calls, instead), [one], configs)[0]
}

test('a right answer of every type and shape passes, by methods and by free functions', t => {
  for (const expect of VALUES) {
    const verdict = verdictOn(t, golden('+', [integer(1), numeric(ONE)], expect))
    t.is(verdict.status, 'passed', `${JSON.stringify(expect)}: ${verdict.got}`)
  }
})

test('every argument is made with its bits, names and shape, and looked at again afterwards', t => {
  for (const value of VALUES) {
    t.is(verdictOn(t, golden('c', [value, value], integer(1))).status, 'passed')
    if (value.values.length === 0) continue
    const one = golden('c', [structuredClone(value)], integer(1))
    // A package that changes what it was given.
    const instead = () => one.args[0].values.pop()
    t.is(verdictOn(t, one, { instead }).status, 'failed', JSON.stringify(value))
  }
})

test('every operation of the format becomes a call of the package', t => {
  const called = {}
  for (const op of Object.keys(OPERATIONS)) {
    called[op] = new Set()
    const args = op.startsWith('[')
      ? [matrix, integer(1), integer(1), ...(op === '[<-' ? [integer(9)] : [])]
      : [matrix]
    if (/^([-+*/^<>&|]|%.*|[=!<>]=|xor|atan2)$/.test(op)) args.push(matrix)
    const expect = op === 'range' ? integer(1, 2) : integer(1)
    const calls = []
    const { status, got } = verdictOn(t, golden(op, args, expect), { calls })
    t.is(status, 'passed', `${op}: ${got}`)
    for (const name of calls) called[op].add(name)
  }
  const names = Object.values(called).map(set => [...set].join('+'))
  t.true(names.every(Boolean), 'each made a call')
  // as.* share one method, + and - of one operand another; nothing else is shared.
  const shared = names.filter((name, i) => names.indexOf(name) !== i && !['as', 'neg'].includes(name))
  t.deepEqual(shared, [])
})

test('subscripts reach the call that R means', t => {
  const callOf = (...args) => {
    const calls = []
    const { status, got } = verdictOn(t, golden('[', args, integer(1)), {
      calls,
      configs: both(['scratch']).slice(0, 1),
    })
    t.is(status, 'passed', got)
    return calls.join()
  }
  const array1 = { ...integer(1, 2), dim: [2] }
  t.is(callOf(integer(1, 2), integer(1)), 'select')
  t.is(callOf(integer(1, 2), { type: 'missing' }), 'select')
  t.is(callOf(matrix, integer(3)), 'select')
  t.is(callOf(matrix, { ...integer(1, 1), dim: [1, 2] }), 'select')
  t.is(callOf(matrix, integer(1), { type: 'missing' }), 'subset')
  t.is(callOf(matrix, integer(1), integer(1), integer(1)), 'subset')
  t.is(
    callOf(array1, integer(1)),
    'subset',
    'the only subscript of a one-dimensional array is that of its dimension',
  )
})

test('whatever is wrong with an expectation is noticed, by the judge and through the package', t => {
  const cases = [
    ...VALUES.map(expect => golden('c', [], expect)),
    golden('as.integer', [numeric('4004000000000000', NA)], integer(2, null)),
    golden('as.integer', [numeric('7fefffffffffffff')], integer(null), { warn: ['integer-range'] }),
    golden('as.numeric', [integer(1, null)], numeric(ONE, NA)),
    golden('exp', [], numeric(TWO, NAN), { tol: { ulp: 2, abs: 1e-15 } }),
    golden(
      'sqrt',
      [],
      {
        type: 'complex',
        values: [
          [ONE, TWO],
          [NA, ONE],
        ],
      },
      { tol: { ulp: 2 }, na_nan_either: true },
    ),
    golden('[[', [], null, { error: true, error_kind: 'bad-subscript' }),
  ]
  const { lines, counts } = selfTest(fm, cases)
  t.is(counts.failed, 0, lines.join('\n'))
  for (const what of [
    'judge: beyond tolerance',
    'judge: NA and NaN',
    'judge: a name',
    'package: element',
    'package: warning too few',
  ]) {
    t.true(
      lines.some(line => line.startsWith(what)),
      what,
    )
  }
})

test('what the package does not have is skipped with its reason, also where an error is expected', t => {
  const refused = golden('+', [integer(1), integer(2)], null, { error: true, error_kind: 'non-numeric' })
  const instead = () => {
    throw new Refused('UNSUPPORTED')
  }
  t.like(verdictOn(t, refused, { instead }), { status: 'skipped', reason: 'refused as told' })
  const unknown = { ...replay(refused), add: undefined }
  const free = both(['scratch']).slice(1)
  unknown.openFmalloc = () => ({ vector: () => ({}), close: () => {} })
  t.like(runCases(unknown, [refused], free)[0], { status: 'skipped', reason: 'no add() in the package' })
})

test('a bug, or an argument that cannot be made, is no refusal', t => {
  const refused = golden('+', [integer(1), integer(2)], null, { error: true, error_kind: 'non-numeric' })
  for (const error of [
    new TypeError('x is undefined'),
    new Refused('INTERNAL'),
    new Refused('CORRUPT'),
    'text',
  ]) {
    const instead = () => {
      throw error
    }
    t.is(verdictOn(t, refused, { instead }).status, 'failed', String(error))
  }
  const broken = replay(refused)
  broken.openFmalloc = () => ({
    vector() {
      throw new Refused('ARGUMENT')
    },
    close: () => {},
  })
  t.like(runCases(broken, [refused], both())[0], { status: 'failed' })
})

test('a refusal of another kind passes with a note', t => {
  const one = golden('+', [integer(1), integer(2)], null, { error: true, error_kind: 'non-numeric' })
  const instead = () => {
    throw new Refused('TYPE', 'bad-type')
  }
  t.like(verdictOn(t, one, { instead }), {
    status: 'passed',
    note: { expected: 'non-numeric', got: 'bad-type' },
  })
})

test('one configuration that fails fails the case', t => {
  const one = golden('+', [integer(1), integer(2)], integer(3))
  const calls = []
  const instead = () => {
    if (calls.length === 3) throw new Refused('TYPE')
  }
  const verdict = verdictOn(t, one, { calls, instead, configs: both() })
  t.like(verdict, { status: 'failed', config: 'scratch, methods' })
  t.is(calls.length, 4)
})

test('an alternative answer passes, each with its own warnings', t => {
  const alt = [{ expect: integer(null), warn: ['na-coercion'], error: false, why: 'older' }]
  const older = { ...golden('as.integer', [integer(1)], integer(null)), warn: ['na-coercion'] }
  const one = { ...golden('as.integer', [integer(1)], integer(7)), alt }
  t.is(runCases(replay(older), [one], both())[0].status, 'passed')
  t.is(runCases(replay({ ...older, warn: [] }), [one], both())[0].status, 'failed')
})

test('the bounds of a tolerance are its bounds', t => {
  const same = (got, want, rules) => difference(got, want, rules) === undefined
  const next = '3ff0000000000001'
  t.false(same(numeric(next), numeric(ONE)))
  t.true(same(numeric(next), numeric(ONE), { tol: { ulp: 1 } }))
  t.false(same(numeric('3ff0000000000002'), numeric(ONE), { tol: { ulp: 1 } }))
  // Below a power of two doubles lie closer: the distance counts in the place of what was expected.
  t.true(same(numeric('3feffffffffffffe'), numeric(ONE), { tol: { ulp: 1 } }))
  t.false(same(numeric('3feffffffffffffd'), numeric(ONE), { tol: { ulp: 1 } }))
  t.true(same(numeric('3ff0000000000004'), numeric(ONE), { tol: { ulp: 1, abs: 1e-15 } }))
  t.true(same(numeric('8000000000000000'), numeric('0000000000000000'), { tol: { ulp: 0 } }))
  t.false(same(numeric('8000000000000000'), numeric('0000000000000000')))
  t.true(same(numeric('0000000000000001'), numeric('0000000000000000'), { tol: { ulp: 1 } }))
  t.false(same(numeric('7ff0000000000000'), numeric('7fefffffffffffff'), { tol: { ulp: 4 } }))
  t.false(same(numeric(NA), numeric(NAN), { tol: { ulp: 4 } }))
  t.true(same(numeric(NA), numeric(NAN), { na_nan_either: true }))
  t.false(same(numeric(ONE), numeric(NAN), { na_nan_either: true }))
  const complex = (...values) => ({ type: 'complex', values })
  // In the plane: a tiny part may be off by the places of a large one.
  t.true(same(complex([ONE, '3cb0000000000000']), complex([ONE, '0000000000000000']), { tol: { ulp: 2 } }))
  t.false(same(complex([ONE, '3cd0000000000000']), complex([ONE, '0000000000000000']), { tol: { ulp: 2 } }))
  t.true(same(complex([NA, ONE]), complex([TWO, NAN]), { na_nan_either: true }))
  t.false(same(complex([NA, ONE]), complex([NA, TWO])))
})

test('what is no case fails by its place', t => {
  const good = JSON.stringify(golden('as.integer', [integer(1)], integer(1)))
  const bad = [
    '{',
    'null',
    '',
    good.replace('"warn":[],', ''),
    good.replace('"type":"integer"', '"type":"int"'),
    good.replace('"values":[1]', '"values":[1.5]'),
    good.replace('"values":[1]', '"values":["1"]'),
  ]
  const cases = readCases(`${[good, ...bad].join('\n')}\n`, 'own.jsonl')
  t.is(cases.length, 8)
  const verdicts = runCases(fm, cases, both())
  t.deepEqual(
    verdicts.map(({ status }) => status),
    ['passed', ...bad.map(() => 'failed')],
  )
  const unknown = runCases(
    fm,
    [golden('nope', [], integer(1)), golden('constructor', [], integer(1))],
    both(),
  )
  t.true(unknown.every(({ status }) => status === 'failed'))
})

test('the command names each failure, counts, and says so by its exit code', t => {
  const folder = freshDirectory(t)
  const right = golden('as.integer', [numeric('4004000000000000', NAN)], integer(2, null))
  const cases = [
    right,
    { ...right, id: 'planted-value', expect: integer(3, null) },
    { ...right, id: 'planted-warning', warn: ['integer-range'] },
    golden('[[', [{ type: 'null' }, integer(1)], { type: 'null' }),
  ]
  fs.writeFileSync(path.join(folder, 'own.jsonl'), cases.map(one => `${JSON.stringify(one)}\n`).join(''))
  const run = (...args) => {
    const command = [path.join(root, 'scripts/goldens.mjs'), folder, ...args]
    return spawnSync(process.execPath, command, { encoding: 'utf8' })
  }
  const { status, stdout } = run()
  t.is(status, 1)
  t.regex(stdout, /^FAIL planted-value as\.integer .*element 0 is 2, expected 3$/m)
  t.regex(stdout, /^FAIL planted-warning as\.integer .*warning none, expected integer-range$/m)
  t.is(stdout.trimEnd().split('\n').at(-1), '2 passed, 2 failed, 0 skipped')
  fs.writeFileSync(path.join(folder, 'own.jsonl'), `${JSON.stringify(right)}\n`)
  t.is(run('--mode', 'persistent', '--threads', '2', '--no-skips').status, 0)
  t.is(run('--group', 'other').status, 2, 'nothing to run is no success')
  t.is(run('--mode', 'other').status, 2)
})
