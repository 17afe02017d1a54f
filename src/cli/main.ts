#!/usr/bin/env node
/**
 * The command line: finds the command, opens the store as it needs it, tells errors in one line and by the exit code.
 */
import { createRequire } from 'node:module'
import { openFmalloc } from '../../index.js'
import type { Store } from '../store.js'
import { readArguments, synopsis, type Given, type Spec } from './arguments.js'
import { COMPACT, compact, EXPORT, exportFile, IMPORT, importFile } from './change.js'
import { HEAD, head, INFO, info, VERIFY, verify } from './inspect.js'
import { LS, ls } from './ls.js'
import { MAP, map } from './map.js'
import { describeError, EXIT, UsageError, write } from './output.js'

interface Command {
  readonly spec: Spec
  readonly run: (store: Store, given: Given, signal: AbortSignal) => Promise<number>
  /** How the store is opened; absent: to read. */
  readonly open?: (given: Given) => { readOnly?: boolean; create?: boolean }
}

const COMMANDS: Readonly<Record<string, Command>> = {
  ls: { spec: LS, run: ls },
  info: { spec: INFO, run: info },
  head: { spec: HEAD, run: head },
  verify: { spec: VERIFY, run: verify },
  map: { spec: MAP, run: map },
  compact: {
    spec: COMPACT,
    run: compact,
    open: given => (given.text('to') === undefined ? { create: false } : { readOnly: true }),
  },
  import: { spec: IMPORT, run: importFile, open: () => ({}) },
  export: { spec: EXPORT, run: exportFile },
}

const WAIT_HELP = `  --wait MS      waits so long for a process that holds the store
  -h, --help     says this`

function overview(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { spec }]) => `  ${`${name} ${spec.args.join(' ')}`.padEnd(26)} ${spec.help.split('\n')[0]}`,
  )
  return `rfmalloc: looks into stores, and moves data in and out\n\n${lines.join('\n')}\n
rfmalloc COMMAND --help says more; --version. Exit codes: 0 done, 1 failed, 2 wrong arguments, 3 not found, 4 locked,
5 no store, 6 damaged, 7 exists, 130 interrupted.\n`
}

async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    await write(overview())
    return name === undefined ? EXIT.usage : EXIT.done
  }
  if (name === '--version') {
    const { version } = createRequire(import.meta.url)('rfmalloc/package.json') as { version: string }
    await write(`${version}\n`)
    return EXIT.done
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) {
    throw new UsageError(`no command '${name}'; there are ${Object.keys(COMMANDS).join(', ')}`)
  }
  const given = readArguments(name, command.spec, rest)
  if (given.help) {
    await write(`${synopsis(name, command.spec)}\n\n${command.spec.help}\n${WAIT_HELP}\n`)
    return EXIT.done
  }
  const how = command.open?.(given) ?? { readOnly: true }
  const wait = given.count('wait')
  const store = openFmalloc(given.args[0] as string, {
    ...how,
    ...(wait !== undefined && { lockTimeout: wait }),
  })
  try {
    return await command.run(store, given, signal)
  } finally {
    store.close()
  }
}

async function main(): Promise<void> {
  const controller = new AbortController()
  const interrupted = new Error('interrupted')
  process.once('SIGINT', () => controller.abort(interrupted))
  // Whoever reads our output may have enough of it.
  process.stdout.on('error', (e: NodeJS.ErrnoException) =>
    process.exit(e.code === 'EPIPE' ? EXIT.done : EXIT.failed),
  )
  const argv = process.argv.slice(2)
  try {
    process.exitCode = await run(argv, controller.signal)
  } catch (e) {
    if (e === interrupted) {
      process.exitCode = EXIT.interrupted
      process.stderr.write('rfmalloc: interrupted\n')
      return
    }
    const { exit, code, line } = describeError(e)
    process.exitCode = exit
    if (argv.includes('--json'))
      process.stdout.write(JSON.stringify({ error: { code, message: line } }) + '\n')
    process.stderr.write(`rfmalloc: ${line}\n`)
  }
}

void main()
