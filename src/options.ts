/**
 * Options: byte sizes, the thread's settings, and the checks of option objects. A wrong *setting* warns and falls back to its default,
 * as in R; a wrong *argument* throws ARGUMENT before anything is touched.
 */
import os from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fail, show } from './errors.js'
import { native, type NativeOpen } from './native.js'
import type { FmallocOptions, OpenOptions } from './types.js'
import { warn } from './warnings.js'

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: 1024 * GIB }

/** Reads a {@link Bytes} value as a whole number of bytes, at least 1. */
export function parseBytes(value: unknown, what: string): number {
  let bytes = Number.NaN
  if (typeof value === 'number') bytes = value
  else if (typeof value === 'string') {
    const match = /^\s*(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)\s*$/.exec(value)
    if (match !== null) bytes = Number(match[1]) * (UNITS[match[2] as string] as number)
  }
  const whole = typeof value === 'string' ? Math.floor(bytes) : bytes
  if (!(Number.isSafeInteger(whole) && whole >= 1)) {
    fail(
      'ARGUMENT',
      `${what} must be a positive whole number of bytes or text like '64 MiB', not ${show(value)}`,
    )
  }
  return whole
}

/** An options argument: undefined is none; anything but an object with known keys is refused. */
export function checkKeys(
  value: unknown,
  known: readonly string[],
  where: string,
): Readonly<Record<string, unknown>> {
  if (value === undefined) return NO_OPTIONS
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
    return fail('ARGUMENT', `${where}: options must be an object, not ${show(value)}`)
  }
  for (const key in value) {
    if (!known.includes(key))
      fail('ARGUMENT', `${where}: unknown option ${show(key)}; known are ${known.join(', ')}`)
  }
  return value as Readonly<Record<string, unknown>>
}

const NO_OPTIONS: Readonly<Record<string, unknown>> = Object.freeze({})

/** A flag: not given is the default, anything but true and false is refused. */
export function checkFlag(value: unknown, byDefault: boolean, what: string): boolean {
  if (!isGiven(value)) return byDefault
  if (typeof value !== 'boolean') return fail('ARGUMENT', `${what} must be true or false, not ${show(value)}`)
  return value
}

/** A file path or file: URL as an absolute path. */
export function checkPath(filepath: unknown): string {
  if (filepath instanceof URL) {
    if (filepath.protocol !== 'file:')
      fail('ARGUMENT', `filepath must be a file: URL, not ${show(filepath.href)}`)
    try {
      return resolve(fileURLToPath(filepath))
    } catch (e) {
      return fail('ARGUMENT', `filepath ${show(filepath.href)} names no local file: ${(e as Error).message}`)
    }
  }
  if (typeof filepath !== 'string')
    return fail('ARGUMENT', `filepath must be one string or file: URL, not ${show(filepath)}`)
  if (filepath === '') return fail('ARGUMENT', 'filepath must not be empty')
  if (filepath.includes('\0')) return fail('ARGUMENT', `filepath ${show(filepath)} contains a NUL character`)
  return resolve(filepath)
}

export const OPEN_KEYS = [
  'sizeGb',
  'mode',
  'maxSize',
  'readOnly',
  'create',
  'durability',
  'syncEvery',
  'unsynced',
  'lockTimeout',
] as const

/** Fixed capacities below this are raised to it, as in R. */
const CAPACITY_MIN = 16 * MIB
const SIZE_GB_MAX = 1000
const SYNC_EVERY_MAX = 2 ** 31 - 1

/** How to open, checked: what the binding is told, and how long to wait for the lock (milliseconds, may be Infinity). */
export interface Opening extends NativeOpen {
  lockTimeout?: number
}

/** Checks {@link OpenOptions} and turns them into the binding's. */
export function parseOpen(o: OpenOptions | undefined | null, where: string): Opening {
  const raw = checkKeys(o, OPEN_KEYS, where)
  const out: Opening = { mode: checkMode(raw['mode']) }
  if (isGiven(raw['sizeGb']))
    out.capacity = Math.max(CAPACITY_MIN, Math.floor(checkSizeGb(raw['sizeGb']) * GIB))
  if (isGiven(raw['maxSize'])) out.maxSize = parseBytes(raw['maxSize'], 'maxSize')
  out.readOnly = checkFlag(raw['readOnly'], false, 'readOnly')
  out.create = checkFlag(raw['create'], !out.readOnly, 'create') && !out.readOnly
  const every = raw['syncEvery']
  if (every === false) out.syncEvery = -1
  else if (isGiven(every)) {
    if (typeof every !== 'number' || !(every > 0 && every <= SYNC_EVERY_MAX)) {
      fail('ARGUMENT', `syncEvery must be positive milliseconds up to 2^31 - 1, or false, not ${show(every)}`)
    }
    out.syncEvery = Math.ceil(every)
  }
  out.full = checkWord(raw['durability'], 'durability', ['process', 'full']) === 'full'
  out.keepUnsynced = checkWord(raw['unsynced'], 'unsynced', ['drop', 'keep']) === 'keep'
  const wait = raw['lockTimeout']
  if (isGiven(wait)) {
    if (typeof wait !== 'number' || !(wait >= 0))
      fail('ARGUMENT', `lockTimeout must be milliseconds, 0 or more, not ${show(wait)}`)
    out.lockTimeout = wait
  }
  return out
}

/** Whether an option or argument was given: null counts as R's NULL. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

function checkMode(mode: unknown): 'persistent' | 'scratch' {
  if (!isGiven(mode)) return 'persistent'
  if (mode !== 'persistent' && mode !== 'scratch') {
    return fail('ARGUMENT', `mode must be 'persistent' or 'scratch', not ${show(mode)}`)
  }
  return mode
}

function checkSizeGb(x: unknown): number {
  if (typeof x !== 'number' || !(x > 0))
    return fail('ARGUMENT', `sizeGb must be one positive number, not ${show(x)}`)
  if (x > SIZE_GB_MAX) return fail('ARGUMENT', `sizeGb ${x} is too large: at most ${SIZE_GB_MAX}`)
  return x
}

/** One of a few words; the first is the default. */
function checkWord<W extends string>(value: unknown, what: string, words: readonly [W, ...W[]]): W {
  if (!isGiven(value)) return words[0]
  const found = words.find(w => w === value)
  return (
    found ?? fail('ARGUMENT', `${what} must be ${words.map(w => `'${w}'`).join(' or ')}, not ${show(value)}`)
  )
}

// ---- the thread's settings

const DEFAULTS: Readonly<FmallocOptions> = Object.freeze({
  verbose: false,
  reduceResultLength: 1e6,
  oocThresholdGb: os.totalmem() / 2 / GIB,
  oocTileMb: 256,
  threads: native.defaultThreads(),
  tmpDir: os.tmpdir(),
})

const current: FmallocOptions = { ...DEFAULTS }

const VALID: { readonly [K in keyof FmallocOptions]: (x: unknown) => boolean } = {
  verbose: x => typeof x === 'boolean',
  reduceResultLength: x => typeof x === 'number' && x >= 0,
  oocThresholdGb: x => typeof x === 'number' && x > 0,
  oocTileMb: x => typeof x === 'number' && x > 0 && Number.isFinite(x),
  threads: x => Number.isInteger(x) && (x as number) >= 1 && (x as number) <= 1024,
  tmpDir: x => typeof x === 'string' && x !== '' && !x.includes('\0'),
}

/**
 * Sets some of this thread's options and returns the previous values of all, like R's `options()`. A bad value warns
 * (`bad-option`) and restores the default; an unknown name throws ARGUMENT.
 *
 * @example
 * const before = fmallocOptions({ threads: 2 })
 * fmallocOptions(before)
 */
export function fmallocOptions(patch?: Partial<FmallocOptions>): FmallocOptions {
  const before = { ...current }
  const given = checkKeys(patch, Object.keys(DEFAULTS), 'fmallocOptions')
  for (const key of Object.keys(given) as (keyof FmallocOptions)[]) {
    const value = given[key]
    if (value === undefined) continue
    const good = VALID[key](value)
    if (!good)
      warn(
        'bad-option',
        `invalid value ${show(value)} for option ${key}; using ${String(DEFAULTS[key])}`,
        'fmallocOptions',
      )
    ;(current as unknown as Record<string, unknown>)[key] = good ? value : DEFAULTS[key]
  }
  return before
}

/** The value in force. */
export function option<K extends keyof FmallocOptions>(key: K): FmallocOptions[K] {
  return current[key]
}
