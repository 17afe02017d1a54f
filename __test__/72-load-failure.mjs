// The addon cannot be loaded: the message says which machine this is, why, and the command that mends it. `npm run test:install` sees the
// same message come out of an installed package.

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { loadFailure, thisHost } from '../dist/src/load-failure.js'
import { freshPath } from './helpers/files.mjs'

const LINUX = { platform: 'linux', arch: 'x64', libc: 'glibc', libcVersion: '2.36', runtime: 'Node v22.1.0' }

/** As the generated loader throws it: one error, and its failed attempts as a chain of causes without codes. */
function attempts(...messages) {
  const cause = messages.reduce(
    (before, message) => Object.assign(new Error(message), { cause: before }),
    null,
  )
  return Object.assign(new Error('Cannot find native binding. npm has a bug'), { cause })
}

const absent = [
  "Cannot find module './rfmalloc.linux-x64-gnu.node'",
  "Cannot find module 'rfmalloc-linux-x64-gnu'",
]

test('a missing platform package is named, with the command that installs it', t => {
  const { reason, message } = loadFailure(attempts(...absent), LINUX)
  t.is(reason, 'missing')
  t.regex(
    message,
    /^rfmalloc's native addon could not be loaded on linux-x64 \(glibc 2\.36\), Node v22\.1\.0\.\n/,
  )
  t.regex(message, /the package rfmalloc-linux-x64-gnu is not there/)
  t.regex(message, /npm install --include=optional --os=linux --cpu=x64 --libc=glibc rfmalloc$/m)
  t.regex(message, /npm\/cli\/issues\/4828/)
})

test('musl and macOS have packages and commands of their own', t => {
  const musl = loadFailure(attempts('Cannot find module x'), {
    ...LINUX,
    libc: 'musl',
    libcVersion: undefined,
  })
  t.regex(musl.message, /on linux-x64 \(musl\), /)
  t.regex(musl.message, /package rfmalloc-linux-x64-musl [^]*--libc=musl rfmalloc$/m)
  const mac = loadFailure(attempts('Cannot find module x'), {
    platform: 'darwin',
    arch: 'arm64',
    runtime: 'Node v24.0.0',
  })
  t.regex(mac.message, /on darwin-arm64, Node/)
  t.regex(mac.message, /package rfmalloc-darwin-arm64 [^]*--os=darwin --cpu=arm64 rfmalloc$/m)
})

test('an addon that the system refuses: what its linker said is in the message', t => {
  const linker =
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /app/rfmalloc.node)"
  const { reason, message } = loadFailure(attempts(absent[0], linker, absent[1]), LINUX)
  t.is(reason, 'refused')
  t.true(message.includes(linker))
  t.regex(message, /noexec/)
})

test('a system without a package is told which have one', t => {
  const { reason, message } = loadFailure(attempts('Cannot find module x'), {
    platform: 'win32',
    arch: 'x64',
    runtime: 'Node v22.1.0',
  })
  t.is(reason, 'platform')
  t.regex(message, /linux-x64, linux-arm64, darwin-x64, darwin-arm64/)
})

test('a bundle is told to leave rfmalloc outside', t => {
  for (const [code, text] of [
    ['ERR_PACKAGE_IMPORT_NOT_DEFINED', 'Package import specifier "#native" is not defined'],
    ['MODULE_NOT_FOUND', "Cannot find module '#native'"],
    ['ERR_INVALID_ARG_VALUE', "The argument 'filename' must be a file URL object. Received undefined"],
  ]) {
    const { reason, message } = loadFailure(Object.assign(new Error(text), { code }), LINUX)
    t.is(reason, 'bundled', text)
    t.regex(message, /external/)
  }
})

test('what is thrown at import is a FmallocError with the reason and the whole cause', t => {
  // A copy of the built facade without any addon: what a clone looks like that was never built.
  const folder = path.dirname(freshPath(t))
  const copy = path.join(folder, 'unbuilt')
  fs.mkdirSync(copy)
  fs.cpSync(new URL('../dist', import.meta.url), path.join(copy, 'dist'), { recursive: true })
  fs.copyFileSync(new URL('../package.json', import.meta.url), path.join(copy, 'package.json'))
  const program = `import('./dist/index.js').catch(e => console.log(JSON.stringify([e.name, e.code, e.details, e.message, !!e.cause])))`
  const { stdout } = spawnSync(process.execPath, ['-e', program], { cwd: copy, encoding: 'utf8' })
  const [name, code, details, message, hasCause] = JSON.parse(stdout)
  t.is(name, 'FmallocError')
  t.is(code, 'ERR_FMALLOC_NATIVE')
  t.deepEqual(details, { ...thisHost(), reason: 'unbuilt' })
  t.regex(message, /never built/)
  t.true(hasCause)
})
