/**
 * What to say when the addon cannot be loaded: which machine this is, what went wrong, and the command that mends it. Text from
 * facts alone; it loads nothing and asks the system only where the libc is unknown. A failed load is most people's first, and often
 * last, impression of a native package.
 */

/** The machine an addon was wanted for. */
export interface Host {
  /** As in `process.platform` and `process.arch`. */
  platform: string
  arch: string
  /** Of Linux only. */
  libc?: 'glibc' | 'musl'
  /** For instance "2.36"; glibc tells it, musl does not. */
  libcVersion?: string
  /** For instance "Node v20.19.0". */
  runtime: string
}

/** What went wrong; {@link loadFailure} says it in `details.reason`. */
export type LoadFailureReason = 'platform' | 'bundled' | 'unbuilt' | 'missing' | 'refused'

/** The systems that have a package with the addon; `napi.targets` in package.json, as Node spells them. */
const SUPPORTED = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

interface Report {
  header?: { glibcVersionRuntime?: string }
}

/** This machine. */
export function thisHost(): Host {
  const { platform, arch, versions } = process
  const runtime = versions.bun === undefined ? `Node ${process.version}` : `Bun ${versions.bun}`
  if (platform !== 'linux') return { platform, arch, runtime }
  const libcVersion = (process.report?.getReport() as Report | undefined)?.header?.glibcVersionRuntime
  if (libcVersion === undefined) return { platform, arch, runtime, libc: 'musl' }
  return { platform, arch, runtime, libc: 'glibc', libcVersion }
}

/** The package that brings the addon for a machine. */
function packageOf(host: Host): string {
  const libc = host.libc === undefined ? '' : host.libc === 'musl' ? '-musl' : '-gnu'
  return `rfmalloc-${host.platform}-${host.arch}${libc}`
}

/** An error and all its causes: the generated loader hangs one failed attempt on the other. */
function chain(error: unknown): { message: string; code: string }[] {
  const links = []
  for (let at = error; at instanceof Error && links.length < 20; at = at.cause)
    links.push({ message: at.message, code: String((at as NodeJS.ErrnoException).code ?? '') })
  return links
}

function reasonOf(cause: unknown, host: Host): LoadFailureReason {
  const links = chain(cause)
  const first = links[0]
  // A bundle has lost the package.json that says where the loader is; as CommonJS it has lost its own address too.
  if (
    first === undefined ||
    ['ERR_PACKAGE_IMPORT_NOT_DEFINED', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_TYPE'].includes(first.code)
  )
    return 'bundled'
  if (/^cannot find (module|package) '#/i.test(first.message)) return 'bundled'
  if (!SUPPORTED.includes(`${host.platform}-${host.arch}`)) return 'platform'
  if (first.code === 'MODULE_NOT_FOUND' && first.message.includes('binding.cjs')) return 'unbuilt'
  return refusalOf(cause) === undefined ? 'missing' : 'refused'
}

/**
 * What the system's linker said of an addon that is there. The generated loader keeps the messages of its attempts and not their codes, so
 * it is the one that is neither about an absent file nor the loader's own.
 */
function refusalOf(cause: unknown): string | undefined {
  const absent = /^(Cannot find|Unsupported|Failed to load native binding)/
  return chain(cause)
    .map(link => link.message.split('\n')[0]!)
    .find(line => !absent.test(line))
}

function words(reason: LoadFailureReason, cause: unknown, host: Host): string[] {
  const name = packageOf(host)
  const libc = host.libc === undefined ? '' : ` --libc=${host.libc}`
  const install = `npm install --include=optional --os=${host.platform} --cpu=${host.arch}${libc} rfmalloc`
  switch (reason) {
    case 'platform':
      return [
        `There is no addon for this system; there are ${SUPPORTED.join(', ')} (Linux with glibc ≥ 2.17 or musl).`,
        'What to do: run it on one of these; on Windows, WSL is linux-x64.',
      ]
    case 'bundled':
      return [
        'The cause: a bundler took rfmalloc into its output, and an addon cannot be bundled.',
        'What to do: mark it as external (esbuild: --external:rfmalloc; webpack: externals; Vite: ssr.external), and keep node_modules/rfmalloc',
        `and node_modules/${name} beside the program.`,
      ]
    case 'unbuilt':
      return ['The cause: this clone was never built.', 'What to do: npm ci (it needs Rust and a C compiler)']
    case 'missing':
      return [
        `The cause: the package ${name} is not there. Either optional dependencies were left out (--omit=optional), or node_modules or the`,
        'lock file comes from another kind of machine.',
        `What to do: ${install}`,
        'If that changes nothing, the lock file lacks the package (https://github.com/npm/cli/issues/4828): remove node_modules and',
        'package-lock.json, then npm install. In a clone of the repository: npm run build:native',
      ]
    case 'refused':
      return [
        `The cause: the addon is there, and the system refuses it: ${refusalOf(cause)}`,
        'That happens where node_modules was copied from another kind of machine, where glibc is older than 2.17, or where the file',
        'system allows no execution (noexec).',
        `What to do: remove node_modules, then ${install}`,
      ]
  }
}

/** The message for a failed load, with its reason as one word. */
export function loadFailure(cause: unknown, host: Host): { reason: LoadFailureReason; message: string } {
  const libc = host.libc === undefined ? '' : ` (${[host.libc, host.libcVersion].filter(Boolean).join(' ')})`
  const reason = reasonOf(cause, host)
  const title = `rfmalloc's native addon could not be loaded on ${host.platform}-${host.arch}${libc}, ${host.runtime}.`
  return { reason, message: [title, ...words(reason, cause, host)].join('\n') }
}
