// `npm test`: the suites of all three languages, one after the other, and one closing line that adds them up.
// `npm test -- ava`, `npm test -- c rust` run some of them; what follows a `--` goes to the suites chosen.
import { fileURLToPath } from 'node:url'
import { add, closingLine, run, zero } from './tally.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const ava = 'node_modules/ava/entrypoints/cli.mjs'

// Rust: the default members only. Built with the labs, the core would have their planted faults in it.
const suites = {
  c: rest => run('plain', 'bash', ['crates/fmalloc-sys/ctest/run.sh', ...rest], { cwd: root }),
  rust: rest => run('cargo', 'cargo', ['test', ...rest], { cwd: root }),
  ava: rest => run('tap', process.execPath, [ava, '--tap', ...rest], { cwd: root }),
}

const words = process.argv.slice(2)
const end = words.includes('--') ? words.indexOf('--') : words.length
const chosen = words.slice(0, end)
const unknown = chosen.filter(name => !(name in suites))
if (unknown.length > 0) {
  console.error(`no suite ${unknown.join(', ')}; there are: ${Object.keys(suites).join(', ')}`)
  process.exit(2)
}

const sum = zero()
const lines = []
for (const name of chosen.length > 0 ? chosen : Object.keys(suites)) {
  console.log(`\n== ${name} ==`)
  const counts = await suites[name](words.slice(end + 1))
  lines.push(`${name.padEnd(5)} ${closingLine(counts)}, ${counts.skipped} skipped`)
  add(sum, counts)
}
console.log(`\n${lines.join('\n')}`)
console.log(closingLine(sum))
process.exitCode = sum.failed === 0 ? 0 : 1
