// Shows that the scenarios find faults: plants each fault of mutants.txt into a copy of the sources, builds, and expects its scenario
// to fail. Ends with "N passed, M failed". `node labs/shuttle/mutants.mjs [WORD]` takes only the faults whose line has the word.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const wanted = process.argv[2] ?? ''
const copy = mkdtempSync(join(tmpdir(), 'rfmalloc-mutants-'))
const env = {
  ...process.env,
  RUSTFLAGS: '--cfg rfmalloc_shuttle',
  CARGO_TARGET_DIR: join(root, 'target/shuttle-mutants'),
}

function faults() {
  const blocks = readFileSync(join(root, 'labs/shuttle/mutants.txt'), 'utf8').split('\n\n')
  return blocks
    .map(block => block.split('\n').filter(line => line !== '' && !line.startsWith('#')))
    .filter(lines => lines.length > 0)
    .map(([head, from, to]) => {
      const [file, scenario, what] = head.split(': ')
      const text = s => s.replaceAll('\\n', '\n')
      return { file, scenario, what, from: text(from), to: text(to) }
    })
}

/** Builds what stands in the copy and runs a scenario; the words say how it ended. */
function run(scenario) {
  const build = ['build', '-q', '-p', 'rfmalloc-lab-shuttle', '--config', 'profile.dev.debug=false']
  const built = spawnSync('cargo', build, { cwd: copy, env, encoding: 'utf8' })
  if (built.status !== 0) return `does not build:\n${built.stderr.slice(-2000)}`
  const program = join(env.CARGO_TARGET_DIR, 'debug/rfmalloc-lab-shuttle')
  const ran = spawnSync(program, [scenario, '1000', '1'], { encoding: 'utf8', timeout: 120_000 })
  // A fault may end in a signal too: bytes that are mapped no more.
  return ran.status === 0 ? 'passed' : 'failed'
}

let passed = 0
let failed = 0
try {
  const list = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'crates', 'labs', 'Cargo.*'], {
    cwd: root,
    encoding: 'utf8',
  })
  for (const file of list.split('\n').filter(Boolean)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file), { preserveTimestamps: true })
  }
  for (const { file, scenario, what, from, to } of faults()) {
    if (!`${file} ${scenario} ${what}`.includes(wanted)) continue
    const path = join(copy, file)
    const good = readFileSync(path, 'utf8')
    const outcome = good.split(from).length === 2 ? undefined : 'no longer fits its source'
    if (outcome === undefined)
      writeFileSync(
        path,
        good.replace(from, () => to),
      )
    const ended = outcome ?? run(scenario)
    writeFileSync(path, good)
    if (ended === 'failed') {
      passed++
      console.log(`ok ${scenario}: ${what}`)
    } else {
      failed++
      console.log(`FAILED ${scenario}: ${what}: the scenario ${ended}`)
    }
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
