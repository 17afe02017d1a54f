// R's answers against ours: `npm run goldens -- [DIR] [options]` runs every `.jsonl` of a folder (default ../shared/r-goldens) through the
// package's public API and ends with "N passed, M failed, K skipped". Each failure is named; what the package does not have yet, and says
// so, is skipped by name, never passed. The format is in the folder's README.
//
//   --group G[,G]                          only these groups
//   --mode persistent|scratch|both         kinds of stores; default both
//   --calls methods|free|both              x.add(y), add(x, y); default both
//   --threads N[,N]                        threads of a kernel; default: the package's
//   --subarrays                            plain vectors start at an odd position of a longer one
//   --no-skips                             what the package lacks fails the run, too
//   --self-test                            corrupts every expectation and counts what is not noticed
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import * as fm from 'rfmalloc'
import { readFolder } from './goldens/folder.mjs'
import { report } from './goldens/report.mjs'
import { configurations, runCases } from './goldens/run.mjs'
import { selfTest } from './goldens/self-test.mjs'

function usage(message) {
  console.error(message)
  process.exit(2)
}

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      group: { type: 'string' },
      mode: { type: 'string', default: 'both' },
      calls: { type: 'string', default: 'both' },
      threads: { type: 'string' },
      subarrays: { type: 'boolean', default: false },
      'no-skips': { type: 'boolean', default: false },
      'self-test': { type: 'boolean', default: false },
    },
  })
  if (positionals.length > 1) usage('one folder, please')
  const threads = values.threads?.split(',').map(Number) ?? [undefined]
  if (threads.some(n => n !== undefined && !(Number.isInteger(n) && n > 0)))
    usage(`--threads ${values.threads}`)
  return {
    folder: positionals[0] ?? fileURLToPath(new URL('../../shared/r-goldens', import.meta.url)),
    groups: values.group?.split(','),
    modes: choices('mode', values.mode, ['persistent', 'scratch']),
    styles: choices('calls', values.calls, ['methods', 'free']),
    threads,
    subarrays: values.subarrays,
    isSkipFailure: values['no-skips'],
    isSelfTest: values['self-test'],
  }
}

function choices(name, chosen, all) {
  if (chosen === 'both') return all
  if (!all.includes(chosen)) usage(`--${name} is ${all.join(', ')} or both, not ${chosen}`)
  return [chosen]
}

const chosen = options()
if (!existsSync(chosen.folder)) usage(`no folder ${chosen.folder}`)
const files = readFolder(chosen.folder)
const wanted = files.map(({ cases }) => cases.filter(({ group }) => chosen.groups?.includes(group) ?? true))
const cases = wanted.flat()
if (cases.length === 0)
  usage(`no cases in ${chosen.folder}${chosen.groups ? ` of ${chosen.groups.join(', ')}` : ''}`)

const configs = configurations(chosen)
console.log(
  `${cases.length} cases of ${chosen.folder}; each with ${configs.map(({ label }) => label).join('; ')}`,
)
if (chosen.isSelfTest) {
  const { lines, counts } = selfTest(fm, cases)
  console.log(lines.join('\n'))
  process.exitCode = counts.failed === 0 ? 0 : 1
} else {
  const verdicts = wanted.flatMap(part => runCases(fm, part, configs))
  const { lines, counts } = report(verdicts)
  console.log(lines.join('\n'))
  process.exitCode = counts.failed > 0 || (chosen.isSkipFailure && counts.skipped > 0) ? 1 : 0
}
