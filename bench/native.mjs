// The core's own figures: `cargo run --release -p rfmalloc-core --example bench` prints one JSON line per measure,
// {"name", "value", "unit"}, perhaps with "beside" (text) and "peak" (MiB). Their targets stand here.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const targets = [
  [/^create/i, { least: 1 }],
  [/^open/i, { most: 10 }],
  [/^derive/i, { most: 0.3 }],
  [/^fill/i, { most: 0.2 }],
  [/^ranged sync/i, { most: 5 }],
  [/growth/i, { most: 0 }],
]

export function native({ folder }) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const args = ['run', '--release', '--quiet', '-p', 'rfmalloc-core', '--example', 'bench']
  const output = execFileSync('cargo', args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: folder },
    timeout: 900_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return output
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
    .map(row => ({
      ...row,
      ...targets.find(([name]) => name.test(row.name))?.[1],
      name: `native: ${row.name}`,
    }))
}
