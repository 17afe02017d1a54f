// `node scripts/symbols.mjs FOLDER`: splits each addon in the folder into what people install and what a crash report needs. What stays in
// FOLDER/*.node has no symbols but the ones Node looks up; FOLDER/symbols/ has the rest, and the addon names it, so that gdb, lldb and
// perf find it when it lies beside. Fails where an addon is still 6 MB or more.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The largest addon that is published, in bytes. */
export const MOST_NBYTES = 6_000_000

const print = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' }).trim()

/** LLVM's objcopy, which comes with Rust and knows every machine, and the environment in which it finds its library. */
function objcopy() {
  const sysroot = print('rustc', '--print', 'sysroot')
  const host = /^host: (.+)$/m.exec(print('rustc', '-vV'))[1]
  return {
    command: join(sysroot, 'lib/rustlib', host, 'bin/rust-objcopy'),
    env: { ...process.env, LD_LIBRARY_PATH: join(sysroot, 'lib') },
  }
}

/** Linux: what gdb expects of a separate file, with its name and checksum in the addon. */
function splitElf(addon, symbols) {
  const { command, env } = objcopy()
  execFileSync(command, ['--only-keep-debug', addon, symbols], { env, stdio: 'inherit' })
  // An addon that was split before has a link already.
  const link = ['--remove-section=.gnu_debuglink', `--add-gnu-debuglink=${symbols}`]
  execFileSync(command, ['--strip-all', ...link, addon], { env, stdio: 'inherit' })
}

/** macOS: a dSYM folder, found by its UUID. Stripping breaks the signature, without which arm64 runs nothing. */
function splitMachO(addon, symbols) {
  execFileSync('dsymutil', [addon, '-o', symbols], { stdio: 'inherit' })
  execFileSync('strip', ['-x', addon], { stdio: 'inherit' })
  execFileSync('codesign', ['--force', '--sign', '-', addon], { stdio: 'inherit' })
}

/** Splits one addon in place; its size before and after, in bytes. */
export function split(addon) {
  const folder = join(addon, '..', 'symbols')
  const name = addon.split('/').at(-1)
  mkdirSync(folder, { recursive: true })
  const before = statSync(addon).size
  if (name.includes('.darwin-')) {
    const symbols = join(folder, `${name}.dSYM`)
    rmSync(symbols, { recursive: true, force: true })
    splitMachO(addon, symbols)
  } else {
    splitElf(addon, join(folder, `${name}.debug`))
  }
  return { before, after: statSync(addon).size }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = process.argv[2]
  const addons = readdirSync(folder).filter(name => name.endsWith('.node'))
  if (addons.length === 0) throw new Error(`no *.node in ${folder}`)
  for (const name of addons) {
    const { before, after } = split(join(folder, name))
    console.log(`${name}: ${before} bytes, ${after} without symbols`)
    if (after >= MOST_NBYTES) {
      console.error(`${name} has ${after} bytes; the limit is ${MOST_NBYTES}`)
      process.exitCode = 1
    }
  }
}
