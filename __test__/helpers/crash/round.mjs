// One round: start the process, let it die in a way and at a moment chosen by the seed, and check what it left.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { random } from '../bytes.mjs'
import { check } from './check.mjs'
import { chooseDeath, chooseThreads } from './deaths.mjs'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))
const THREADS_MOST = 8
/** No process lives longer than this: one that hangs is a finding. */
const PATIENCE_MS = 60_000

/** Refs of the unnamed objects of each thread, for the next process to go on with. */
function unnamedRefs(model) {
  const refs = Array.from({ length: THREADS_MOST }, () => [])
  for (const { thread, name, ref, loser } of model.objects.values())
    if (name === null && ref !== null && !loser && thread >= 0) refs[thread].push(ref)
  return refs
}

/** Runs the process to its death (see deaths.mjs). Returns its logs and how its end differs from the one that was meant. */
export async function dieOnce({ file, model, seed, threads, death }) {
  const logs = Array.from({ length: threads }, (_, thread) => path.join(path.dirname(file), `log-${thread}`))
  for (const log of logs) fs.rmSync(log, { force: true })
  const rng = random(seed ^ 0x5eed)
  const options = {
    syncEvery: rng.pick([false, 1, 20, 5000]),
    durability: rng.pick(['process', 'process', 'process', 'full']),
  }
  const job = { file, logs, seed, threads, death, options, unnamed: unnamedRefs(model) }
  const child = spawn(process.execPath, ['--no-warnings', CHILD, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const begins = death.early ? once => once() : once => child.stdout.once('data', once)
  begins(() => {
    if (death.ms !== undefined) setTimeout(() => child.kill(death.signal ?? 'SIGKILL'), death.ms)
  })
  let late = false
  const patience = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, PATIENCE_MS)
  const end = await new Promise((resolve, reject) =>
    child.once('error', reject).once('close', (code, signal) => resolve(signal ?? code)),
  )
  clearTimeout(patience)
  const problems = []
  if (late) problems.push(`the process hung for ${PATIENCE_MS} ms`)
  else if (!death.ended.includes(end)) problems.push(`the process ended with ${end}: ${stderr.slice(-3000)}`)
  return { logs, problems, end }
}

/** One round on the same file as the rounds before. Returns the check's result. */
export async function dieAndCheck({ file, model, seed }) {
  const rng = random(seed ^ 0xc0de)
  const threads = chooseThreads(rng)
  const readOnly = rng.below(2) === 0 // the next process then finds the file as the death left it
  const death = chooseDeath(rng)
  const { logs, problems, end } = await dieOnce({ file, model, seed, threads, death })
  const result = check({ file, before: model, logs, readOnly })
  result.problems.unshift(...problems)
  return { ...result, threads, readOnly, death, end }
}
