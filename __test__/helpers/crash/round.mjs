// One round: start the process, kill it at a moment chosen by the seed, and check what it left.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { random } from '../bytes.mjs'
import { check } from './check.mjs'

const CHILD = fileURLToPath(new URL('child.mjs', import.meta.url))

/** Refs of the unnamed objects of each thread, for the next process to go on with. */
function unnamedRefs(model) {
  const refs = [[], [], [], []]
  for (const { thread, name, ref, loser } of model.objects.values())
    if (name === null && ref !== null && !loser) refs[thread].push(ref)
  return refs
}

/** Runs the process to its death. With `limit` it kills itself after so many acts per thread, all of them acknowledged. */
export async function killOne({ file, model, seed, threads, limit }) {
  const logs = Array.from({ length: threads }, (_, thread) => path.join(path.dirname(file), `log-${thread}`))
  for (const log of logs) fs.rmSync(log, { force: true })
  const rng = random(seed ^ 0x5eed)
  const syncEvery = rng.pick([false, 1, 20, 5000])
  const job = { file, logs, seed, threads, limit, syncEvery, unnamed: unnamedRefs(model) }
  const child = spawn(process.execPath, ['--no-warnings', CHILD, JSON.stringify(job)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const ended = new Promise(resolve => child.once('close', (code, signal) => resolve({ code, signal })))
  const ready = new Promise(resolve => child.once('message', resolve))
  const first = await Promise.race([ready, ended])
  if (first === 'ready' && limit === undefined) setTimeout(() => child.kill('SIGKILL'), rng.below(61))
  const end = await ended
  const problems =
    end.signal === 'SIGKILL'
      ? []
      : [`the process ended by itself (${end.code ?? end.signal}): ${stderr.slice(-3000)}`]
  return { logs, problems }
}

/** One round on the same file as the rounds before. Returns the check's result. */
export async function killAndCheck({ file, model, seed }) {
  const rng = random(seed ^ 0xc0de)
  const threads = 1 + rng.below(4)
  const readOnly = rng.below(2) === 0 // the next process then finds the file as the kill left it
  const { logs, problems } = await killOne({ file, model, seed, threads })
  const result = check({ file, before: model, logs, readOnly })
  result.problems.unshift(...problems)
  return { ...result, threads, readOnly }
}
