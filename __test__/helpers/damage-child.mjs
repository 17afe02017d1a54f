// Opens damaged copies of a store, one case after the other, in a process of its own so that a crash is seen. Job (argv): { base, work,
// progress, count, mode, cases: [[kind, …]] }. Prints a JSON list of problems. Before each case its number is written into `progress`: after
// a crash it names the culprit.
//
// A case is right when opening throws a coded error, or every vector reads as it was, or the reading of one throws a coded error. A
// vector that is silently absent is right only if verify() tells of damage. Where a case damages several records at once, verify()
// must name each one that does not read, and no record beside them may suffer. The file's bytes must be the same afterwards,
// always: nothing here asks for a change.

import fs from 'node:fs'
import { isFmallocError, openFmalloc } from '../../dist/index.js'
import { damagedVector } from './damage.mjs'
import { random, sameBits } from './bytes.mjs'

const { base, work, progress, count, cases, everything } = JSON.parse(
  fs.readFileSync(process.argv[2], 'utf8'),
)

const bytes = fs.readFileSync(base)
const expected = Array.from({ length: count }, (_, i) => damagedVector(i))
const problems = []
const tally = { opened: 0, refused: 0, unreadable: 0, absent: 0 }
const progressFd = fs.openSync(progress, 'w')

// The working copy is written once and repaired after each case.
fs.writeFileSync(work, bytes)
const fd = fs.openSync(work, 'r+')
const after = Buffer.alloc(bytes.length + 1)

function sameAs(wanted) {
  const { size } = fs.fstatSync(fd)
  if (size !== wanted.length) return `it is ${size} bytes long, it was ${wanted.length}`
  fs.readSync(fd, after, 0, size, 0)
  return after.subarray(0, size).equals(wanted) ? '' : 'its bytes changed'
}

/** The vectors to read: all of them, or those beside the damage and a few others. */
function chosen(near, seed) {
  if (everything || near === undefined) return expected.keys()
  const rng = random(seed)
  const beside = Array.isArray(near) ? near : [near - 1, near, near + 1]
  const set = new Set([...beside, rng.below(count), rng.below(count)])
  return [...set].filter(i => i >= 0 && i < count)
}

function look(what, readOnly, wanted, near, seed) {
  let store
  try {
    store = openFmalloc(work, { readOnly, syncEvery: false })
  } catch (error) {
    tally.refused++
    if (!isFmallocError(error)) problems.push(`${what}: opening threw ${error.name} ${error.message}`)
    if (!isFmallocError(error) || error.message.length < 10) problems.push(`${what}: ${error.message}`)
    const changed = sameAs(wanted)
    if (changed) problems.push(`${what}: refused, but ${changed}`)
    return
  }
  tally.opened++
  let absent = 0
  /** Whether `fn` threw. */
  const attempt = (which, fn) => {
    try {
      fn()
      return false
    } catch (error) {
      if (!isFmallocError(error)) problems.push(`${what}: ${which} threw ${error.name} ${error.message}`)
      else if (error.code === 'ERR_FMALLOC_NOT_FOUND') absent++
      else tally.unreadable++
      return true
    }
  }
  const lost = []
  for (const i of chosen(near, seed)) {
    const { name, type, bits } = expected[i]
    const threw = attempt(name, () => {
      const v = store.getVector(name)
      if (v.type !== type || !sameBits(v.toTypedArray(), bits))
        problems.push(`${what}: ${name} reads wrong: ${v}`)
    })
    if (threw) lost.push(i)
  }
  attempt('keys', () => {
    const keys = [...store.keys()]
    if (keys.some(key => typeof key !== 'string')) problems.push(`${what}: a key is no string`)
    if (keys.length < count) absent++
  })
  attempt('allocations', () => store.allocations())
  attempt('diagnose', () => store.diagnose())
  let report = { ok: false }
  attempt('verify', () => (report = store.verify()))
  if (absent > 0) {
    tally.absent++
    if (report.ok) problems.push(`${what}: ${absent} vectors are silently absent`)
  }
  if (Array.isArray(near)) {
    for (const i of lost) {
      if (!near.includes(i)) problems.push(`${what}: ${expected[i].name}, which is whole, does not read`)
      if (!report.faults?.some(({ id }) => id === i))
        problems.push(`${what}: ${expected[i].name} does not read, and verify does not name it`)
    }
  }
  attempt('close', () => store.close())
  const changed = sameAs(wanted)
  if (changed) problems.push(`${what}: opened ${readOnly ? 'read-only' : 'writable'}, and ${changed}`)
}

for (const [n, [kind, a, b, near, modes]] of cases.entries()) {
  fs.writeSync(progressFd, `${n}\n`.padEnd(12), 0)
  const what = kind === 'cut' ? `cut at ${a}` : `byte ${a} ^ ${b}`
  // A flip of several bytes has a list of places and one of masks.
  const flip = () => {
    for (const [i, at] of [a].flat().entries()) {
      bytes[at] ^= [b].flat()[i]
      fs.writeSync(fd, bytes, at, 1, at)
    }
  }
  if (kind === 'cut') fs.ftruncateSync(fd, a)
  else flip()
  const wanted = kind === 'cut' ? bytes.subarray(0, a) : bytes
  if (modes !== 'writable') look(`${what}, read-only`, true, wanted, near, n)
  if (modes !== 'readOnly') look(`${what}, writable`, false, wanted, near, n)
  if (kind === 'cut') fs.writeSync(fd, bytes, 0, bytes.length, 0)
  else flip()
  if (sameAs(bytes)) {
    fs.ftruncateSync(fd, 0)
    fs.writeSync(fd, bytes, 0, bytes.length, 0)
  }
  if (problems.length > 30) break
}
fs.writeSync(1, JSON.stringify({ problems, tally }))
