// Runs a function of a test in another process. What could crash, exit, or be killed runs there, so that the test run survives and
// sees how it ended. The function must not use anything from around it: its source is sent over, and it receives everything by
// its one argument (see child-main.mjs).

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('child-main.mjs', import.meta.url))

/**
 * Starts `fn` in a process of its own. `options.shell`: a line of bash that runs first (`ulimit …`); `options.flags`: for node.
 * Messages go through `say` and `hear`; `ended` resolves with { code, signal, stdout, stderr, value }.
 * A child that is still running after `options.deadline` ms is killed: a test must not hang for ever.
 */
export function start(t, fn, args = {}, options = {}) {
  const { flags = [], env = {}, shell, deadline = 240_000 } = options
  const argv = ['--expose-gc', '--no-warnings', ...flags, MAIN]
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc']
  const environment = { ...process.env, NODE_OPTIONS: '', ...env }
  const child = shell
    ? spawn('bash', ['-c', `${shell}; exec "$0" "$@"`, process.execPath, ...argv], {
        stdio,
        env: environment,
      })
    : spawn(process.execPath, argv, { stdio, env: environment })
  // By the channel, not as an argument: the system limits those.
  child.send({ begin: { source: String(fn), args } }, () => {})

  const said = []
  const waiting = []
  let value
  let ended = false
  const output = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'])
    child[stream].setEncoding('utf8').on('data', text => (output[stream] += text))
  child.on('message', message => {
    if (message.result !== undefined) value = message.result.value
    else if (waiting.length > 0) waiting.shift().resolve(message.said)
    else said.push(message.said)
  })
  const timer = setTimeout(() => {
    output.stderr += `\n(killed: still running after ${deadline} ms)`
    child.kill('SIGKILL')
  }, deadline)
  const whenEnded = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      ended = true
      clearTimeout(timer)
      for (const { reject: fail } of waiting)
        fail(new Error(`the child ended (${code ?? signal}) unheard:\n${output.stderr}`))
      resolve({ code, signal, ...output, value })
    })
  })
  t.teardown(() => {
    if (!ended) child.kill('SIGKILL')
    return whenEnded.then(() => {})
  })
  return {
    pid: child.pid,
    ended: whenEnded,
    kill: signal => child.kill(signal),
    send: message => void child.send({ heard: message }),
    /** The next thing the child says; rejects when it ends first. */
    hear() {
      if (said.length > 0) return Promise.resolve(said.shift())
      if (ended) return Promise.reject(new Error(`the child has ended:\n${output.stderr}`))
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
  }
}

/** Runs `fn` to its end in a process of its own; the end must be a normal one. Returns what it returned. */
export async function inChild(t, fn, args, options) {
  const end = await start(t, fn, args, options).ended
  if (end.code !== 0) t.fail(`the child ended with ${end.code ?? end.signal}:\n${end.stderr.slice(-4000)}`)
  return end.value
}
