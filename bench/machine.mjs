// What was measured on what: without it a figure means nothing.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'

function command(name, ...args) {
  try {
    return execFileSync(name, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return 'unknown'
  }
}

/** lmdb does not export its package.json, so it is read beside its entry. */
function versionOf(name) {
  const entry = createRequire(import.meta.url).resolve(name)
  const folder = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`)) + `node_modules/${name}`
  return JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).version
}

function fileSystem() {
  return command('stat', '-f', '-c', '%T', process.env.RFMALLOC_BENCH_DIR ?? os.tmpdir())
}

export function machine() {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    fileSystem: fileSystem(),
    node: process.version,
    rustc: command('rustc', '--version').replace(/ \(.*/, ''),
    lmdb: versionOf('lmdb'),
    commit: command('git', 'rev-parse', '--short', 'HEAD'),
  }
}
