// `npm run goldens:all -- [DIR]`: R's answers for one and two threads, on aligned vectors and on parts that start at odd positions, with each
// instruction set. One that this processor lacks is named and counted as skipped.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { add, closingLine, zero } from './tally.mjs'

const SETS = ['baseline', 'avx2', 'avx512', 'neon']
const root = fileURLToPath(new URL('..', import.meta.url))
const words = process.argv.slice(2)

/** The set that a process uses which is told to use this one. */
function chosen(set) {
  const code = "process.stdout.write(require('#native').instructionSet())"
  const { stdout } = spawnSync(process.execPath, ['-e', code], {
    cwd: root,
    env: { ...process.env, RFMALLOC_ISA: set },
    encoding: 'utf8',
  })
  return stdout
}

// The addon loads at all.
createRequire(import.meta.url)('#native')

const sum = zero()
for (const set of SETS) {
  if (chosen(set) !== set) {
    console.log(`== ${set}: skipped, this processor does not have it ==`)
    sum.skipped += 1
    continue
  }
  for (const more of [[], ['--subarrays']]) {
    console.log(`== ${set} ${more.join(' ')} ==`)
    const args = ['scripts/goldens.mjs', ...words, '--threads', '1,2', '--no-skips', ...more]
    const { stdout, status } = spawnSync(process.execPath, args, {
      cwd: root,
      env: { ...process.env, RFMALLOC_ISA: set },
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    process.stdout.write(stdout)
    const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(stdout) ?? [
      0, 0, 1, 0,
    ]
    // What the package lacks is no pass.
    add(sum, { passed: Number(passed), failed: Number(failed) + Number(skipped), skipped: 0 })
    if (status !== 0 && Number(failed) + Number(skipped) === 0) sum.failed += 1
  }
}
console.log(closingLine(sum))
process.exitCode = sum.failed > 0 ? 1 : 0
