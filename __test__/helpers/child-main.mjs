// The other end of child.mjs: evaluates the function it is sent and gives it the package and a few tools.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import util from 'node:util'
import workers from 'node:worker_threads'
import * as fm from '../../dist/index.js'
import * as bytes from './bytes.mjs'
import { codeOf, collect, deadline, until } from './waiting.mjs'

let begin
const begun = new Promise(resolve => (begin = resolve))
const heard = []
let wake
function say(message) {
  return new Promise((resolve, reject) =>
    process.send({ said: message }, error => (error ? reject(error) : resolve())),
  )
}
async function hear() {
  process.channel?.ref()
  while (heard.length === 0) await new Promise(resolve => (wake = resolve))
  process.channel?.unref()
  return heard.shift()
}
process.on('message', message => {
  if (message.begin !== undefined) return begin(message.begin)
  heard.push(message.heard)
  wake?.()
})
const { source, args } = await begun
process.channel?.unref()

/** Calls a function given as source. Indirect, so that it sees only the globals and its argument. */
const call = (text, argument) => (0, eval)(`(${text})`)(argument)

const value = await call(source, {
  fm,
  args,
  assert,
  fs,
  path,
  util,
  workers,
  bytes,
  collect,
  until,
  deadline,
  codeOf,
  say,
  hear,
  call,
})
if (value !== undefined) await new Promise(resolve => process.send({ result: { value } }, resolve))
