// The store that is damaged, and the running of cases of damage in processes of their own.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { openFmalloc } from '../../dist/index.js'
import { content, TYPES } from './bytes.mjs'
import { freshDirectory, fastRoot } from './files.mjs'

const CHILD = fileURLToPath(new URL('damage-child.mjs', import.meta.url))
const KINDS = Object.keys(TYPES)

/** The i-th vector of a store to be damaged. */
export function damagedVector(i) {
  const type = KINDS[i % KINDS.length]
  const length = i % 50 === 0 ? 3000 + i : 1 + (i % 40)
  return { name: `vector ${i}`, type, length, bits: content(type, length, i) }
}

/** A closed store of `count` vectors, in a directory on a fast file system. */
export function storeToDamage(t, count) {
  const file = path.join(freshDirectory(t, fastRoot()), 'base.fm')
  const store = openFmalloc(file)
  for (let i = 0; i < count; i++) {
    const { name, type, bits } = damagedVector(i)
    store.vector(type, bits, { name })
  }
  store.close()
  return file
}

/**
 * Runs `cases` in `parts` processes at once. Returns { problems, tally }; a crash of one is a problem that names its case.
 * A case: ['cut', size] or ['flip', offset, mask, near, modes]; `near`: the vector to read, undefined: all; `modes`: 'readOnly',
 * 'writable', or undefined for both. A flip of several bytes at once has lists of offsets, masks, and damaged vectors.
 */
export async function damage(t, base, count, cases, { parts = 2, everything = false } = {}) {
  const directory = path.dirname(base)
  const run = part =>
    new Promise((resolve, reject) => {
      const mine = cases.filter((_, n) => n % parts === part)
      const job = {
        base,
        work: path.join(directory, `work-${part}.fm`),
        progress: path.join(directory, `progress-${part}`),
        count,
        cases: mine,
        everything,
      }
      const jobFile = path.join(directory, `job-${part}.json`)
      fs.writeFileSync(jobFile, JSON.stringify(job))
      const child = spawn(process.execPath, ['--no-warnings', CHILD, jobFile], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let out = ''
      let err = ''
      child.stdout.setEncoding('utf8').on('data', text => (out += text))
      child.stderr.setEncoding('utf8').on('data', text => (err += text))
      child.on('error', reject)
      child.on('close', (code, signal) => {
        if (code === 0) return resolve(JSON.parse(out))
        const at = Number.parseInt(fs.readFileSync(job.progress, 'utf8'), 10)
        resolve({
          problems: [`crashed (${signal ?? code}) at ${JSON.stringify(mine[at])}: ${err.slice(-2000)}`],
          tally: {},
        })
      })
      t.teardown(() => child.kill('SIGKILL'))
    })
  const results = await Promise.all(Array.from({ length: parts }, (_, part) => run(part)))
  const tally = {}
  for (const { tally: part } of results)
    for (const [key, n] of Object.entries(part)) tally[key] = (tally[key] ?? 0) + n
  return { problems: results.flatMap(({ problems }) => problems), tally }
}
