// Runs cases through the package, in every configuration asked for: persistent and scratch stores, methods and free functions, one or more
// threads. A case has one verdict: it fails if any configuration fails, and passes only if all pass.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { difference } from './compare.mjs'
import { Arguments, Unmade } from './express.mjs'
import { judge, kindNote } from './judge.mjs'
import { Call, Missing, OPERATIONS } from './operations.mjs'
import { readObject, readScalars } from './read.mjs'

/** Cases after which a store is emptied: a folder may have any number of them. */
const RESET_EVERY = 2000

/** Every combination: `{ mode, free, threads, subarrays, label }`. */
export function configurations({ modes, styles, threads, subarrays }) {
  return modes.flatMap(mode =>
    styles.flatMap(style =>
      threads.map(count => {
        const parts = [mode, style === 'free' ? 'free functions' : 'methods']
        if (count !== undefined) parts.push(`${count} threads`)
        if (subarrays) parts.push('subarrays')
        return { mode, free: style === 'free', threads: count, subarrays, label: parts.join(', ') }
      }),
    ),
  )
}

/** Verdicts of the cases, in order: `{ golden, status: 'passed' | 'failed' | 'skipped', ... }`. */
export function runCases(fm, cases, configs) {
  const folder = mkdtempSync(join(tmpdir(), 'rfmalloc-goldens-'))
  const verdicts = cases.map(golden => ({ golden, status: 'passed' }))
  try {
    configs.forEach((config, k) => {
      const before = fm.fmallocOptions(config.threads === undefined ? {} : { threads: config.threads })
      const store = fm.openFmalloc(join(folder, `${k}.fm`), { mode: config.mode })
      const write = new Arguments(fm, store, config)
      const call = new Call(fm, write, config.free)
      try {
        verdicts.forEach((verdict, i) => {
          if (i % RESET_EVERY === RESET_EVERY - 1) store.reset()
          merge(verdict, { ...runCase(fm, call, verdict.golden, config), config: config.label })
        })
      } finally {
        store.close()
        fm.fmallocOptions(before)
      }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return verdicts
}

const GRAVITY = { passed: 0, skipped: 1, failed: 2 }

/** The graver of two verdicts of one case counts; the first of equals tells why. */
function merge(verdict, next) {
  if (GRAVITY[next.status] > GRAVITY[verdict.status]) Object.assign(verdict, next)
  else if (next.note !== undefined) verdict.note ??= next.note
}

/** One case in one configuration. */
export function runCase(fm, call, golden, config) {
  if (golden.malformed !== undefined) return failed('a case of the format', golden.malformed)
  const operation = Object.hasOwn(OPERATIONS, golden.op) ? OPERATIONS[golden.op] : undefined
  if (operation === undefined) return failed('an operation of the format', `op ${JSON.stringify(golden.op)}`)
  call.write.made.length = 0
  const { value, warnings } = fm.captureWarnings(() =>
    attempt(() => operation(call, golden.args, golden.params)),
  )
  const { result, error } = value
  if (error !== undefined && !isRefusal(fm, error)) return unrun(fm, error)
  const warn = new Set(warnings.map(({ code }) => code))
  const outcome = { warn, error, read: error === undefined ? reader(result, config) : undefined }
  const judged = attempt(() => judge(golden, outcome) ?? changedArgument(call.write))
  if (judged.error !== undefined) return unrun(fm, judged.error)
  return judged.result === undefined
    ? { status: 'passed', note: kindNote(golden, outcome) }
    : failed(judged.result.expected, judged.result.got)
}

const failed = (expected, got) => ({ status: 'failed', expected, got })

function attempt(fn) {
  try {
    return { result: fn() }
  } catch (error) {
    return { error }
  }
}

/** Codes that say something about the package, not about the call. */
const OWN_FAULTS = new Set(['UNSUPPORTED', 'INTERNAL', 'NATIVE', 'CORRUPT', 'POISONED', 'NO_SPACE', 'IO'])

/** Whether the package refused the call, as R would. */
function isRefusal(fm, error) {
  return fm.isFmallocError(error) && !OWN_FAULTS.has(error.code.replace('ERR_FMALLOC_', ''))
}

/** The verdict on a call that was not judged: skipped where the package lacks something and says so; else failed. */
function unrun(fm, error) {
  if (error instanceof Missing) return { status: 'skipped', reason: error.message }
  const cause = error instanceof Unmade ? error.cause : error
  const where = error instanceof Unmade ? 'an argument could not be made: ' : ''
  if (fm.isFmallocError(cause, 'ERR_FMALLOC_UNSUPPORTED')) {
    return { status: 'skipped', reason: where + cause.message }
  }
  return failed(
    'a result or a refusal',
    `${where}${cause?.code ?? cause?.name ?? 'threw'}: ${cause?.message ?? cause}`,
  )
}

/** Reads a result once. In a persistent store a temporary is kept first: what counts is what the store holds. */
function reader({ object, scalars, type }, { mode }) {
  if (scalars !== undefined) return want => readScalars(scalars, want, type)
  let value
  return () => {
    if (value === undefined && mode === 'persistent' && object?.state === 'temporary') object.keep()
    return (value ??= readObject(object))
  }
}

/** No operation changes its arguments. */
function changedArgument({ made }) {
  for (const { object, value } of made) {
    const apart = difference(readObject(object), value)
    if (apart !== undefined) return { expected: 'arguments as they were', got: `changed: ${apart}` }
  }
  return undefined
}
