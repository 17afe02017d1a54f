/**
 * The commands' arguments: read by Node's own `parseArgs`, which knows all that is needed here and adds nothing to install.
 */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { UsageError } from './output.js'

type Options = NonNullable<ParseArgsConfig['options']>

/** What a command takes. */
export interface Spec {
  /** Names of its arguments; one in brackets may be missing. */
  readonly args: readonly string[]
  readonly options: Options
  /** First line: what it does; the rest: details and a line for each option. */
  readonly help: string
}

/** Arguments that were read. */
export interface Given {
  readonly args: readonly string[]
  readonly json: boolean
  readonly help: boolean
  flag(name: string): boolean
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  /** A whole number, 0 or more. */
  count(name: string): number | undefined
}

const COMMON: Options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  wait: { type: 'string' },
}

/** How a command is called. */
export function synopsis(command: string, spec: Spec): string {
  return `rfmalloc ${command} ${spec.args.join(' ')} [options]`
}

export function readArguments(command: string, spec: Spec, argv: readonly string[]): Given {
  const { values, positionals } = parse(spec, argv)
  const most = spec.args.length
  const least = spec.args.filter(name => !name.startsWith('[')).length
  const help = values['help'] === true
  if (!help && (positionals.length < least || positionals.length > most)) {
    const wrong =
      positionals.length < least ? `${spec.args[positionals.length]} is missing` : 'too many arguments'
    throw new UsageError(`${wrong}; usage: ${synopsis(command, spec)}`)
  }
  const text = (name: string): string | undefined => values[name] as string | undefined
  return {
    args: positionals,
    json: values['json'] === true,
    help,
    flag: name => values[name] === true,
    text,
    texts: name => (values[name] as string[] | undefined) ?? [],
    count(name) {
      const given = text(name)
      if (given === undefined) return undefined
      if (!/^\d{1,15}$/.test(given)) throw new UsageError(`--${name} takes a whole number, not '${given}'`)
      return Number(given)
    },
  }
}

function parse(spec: Spec, argv: readonly string[]) {
  try {
    const options = { ...COMMON, ...spec.options }
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
  } catch (e) {
    // Its messages say which option, and how an argument that looks like one is given.
    throw new UsageError((e as Error).message)
  }
}
