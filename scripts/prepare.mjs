// `npm ci` ends here: build the addon and the TypeScript, or say which tool is missing and how to get it.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** First line a command prints, or null when it cannot be run. */
function firstLine(command, ...args) {
  const { error, status, stdout } = spawnSync(command, args, { encoding: 'utf8', cwd: root })
  return error || status !== 0 ? null : stdout.split('\n')[0]
}

/** "1.88" from Cargo.toml: the oldest Rust the workspace is written for. */
function oldestRust() {
  return /^rust-version = "(\d+\.\d+)/m.exec(readFileSync(`${root}/Cargo.toml`, 'utf8'))[1]
}

function isOlder(version, floor) {
  const [major, minor] = version.split('.').map(Number)
  const [floorMajor, floorMinor] = floor.split('.').map(Number)
  return major < floorMajor || (major === floorMajor && minor < floorMinor)
}

function missingTools() {
  const missing = []
  const floor = oldestRust()
  const rust = /^rustc (\d+\.\d+)/.exec(firstLine('rustc', '--version') ?? '')?.[1]
  if (rust === undefined || firstLine('cargo', '--version') === null) {
    missing.push(
      `Rust ${floor} or newer (cargo, rustc): https://rustup.rs, or your system's package "rustup"`,
    )
  } else if (isOlder(rust, floor)) {
    missing.push(`Rust ${floor} or newer (this is ${rust}): rustup update stable`)
  }
  const compilers = process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang']
  if (!compilers.some(cc => firstLine(...cc.split(' '), '--version') !== null)) {
    const how =
      process.platform === 'darwin'
        ? 'xcode-select --install'
        : 'apt-get install gcc libc6-dev, dnf install gcc, or apk add gcc musl-dev'
    missing.push(`a C11 compiler (${compilers.join(', ')}): ${how}`)
  }
  return missing
}

function fail(lines) {
  console.error(['', ...lines, ''].join('\n'))
  process.exit(1)
}

if (process.platform === 'win32' || !['x64', 'arm64'].includes(process.arch)) {
  fail([
    `rfmalloc does not support ${process.platform} ${process.arch} yet.`,
    'It runs on Linux (glibc or musl) and macOS, x64 and arm64.',
  ])
}

const missing = missingTools()
if (missing.length > 0) {
  fail([
    'rfmalloc is built from source here (C, Rust, TypeScript), and this machine lacks:',
    ...missing.map(tool => `  - ${tool}`),
    'Install that, then run the same command again.',
  ])
}

rmSync(`${root}/dist`, { recursive: true, force: true })
const { status } = spawnSync('npm', ['run', 'build'], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
