// `npm run test:neon`: the engine's tests compiled for AArch64 (NEON) and run under qemu-user. Where Rust's target, the cross linker or
// qemu-aarch64 cannot be had, it says so and counts nothing. On AArch64 itself the ordinary tests are these.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { closingLine, run } from './tally.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = 'aarch64-unknown-linux-gnu'
const packages = ['qemu-user', 'gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross']

function works(command, ...args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function skip(why) {
  console.log(`NEON not tested: ${why}`)
  console.log('0 passed, 0 failed')
  process.exit(0)
}

if (process.arch === 'arm64') skip('this is AArch64, where the ordinary tests use NEON')
if (process.platform !== 'linux') skip('qemu-user is of Linux')
const tools = () => works('qemu-aarch64', '--version') && works('aarch64-linux-gnu-gcc', '--version')
if (!tools()) {
  const apt = ['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages]
  const command = process.getuid() === 0 ? apt : ['sudo', '-n', ...apt]
  works(command[0], ...command.slice(1))
}
if (!tools()) skip(`no qemu-aarch64 or aarch64-linux-gnu-gcc (Debian: ${packages.join(', ')})`)
const installed = () => works('sh', '-c', `test -d "$(rustc --print sysroot)/lib/rustlib/${target}/lib"`)
if (!installed()) works('rustup', 'target', 'add', target)
if (!installed()) skip(`Rust's target ${target} is not installed and rustup does not bring it`)

const env = {
  ...process.env,
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER: 'aarch64-linux-gnu-gcc',
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER: 'qemu-aarch64 -L /usr/aarch64-linux-gnu',
  CC_aarch64_unknown_linux_gnu: 'aarch64-linux-gnu-gcc',
  RFMALLOC_ISA: 'neon',
}
const tests = ['compute', 'r_goldens', 'accuracy', 'truth_tables'].flatMap(name => ['--test', name])
// Emulated code is slow: optimised it runs in a fifth of the time, assertions stay.
const args = ['test', '-p', 'rfmalloc-core', '--profile', 'lab', '--target', target, ...tests]
const counts = await run('cargo', 'cargo', args, { cwd: root, env })
console.log(closingLine(counts))
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1
