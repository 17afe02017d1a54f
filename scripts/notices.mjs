// The licences of what is compiled into an addon: their authors ask that the text goes along with the code. Taken from the very sources that
// cargo compiles for a target.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './targets.mjs'

const ADDON = 'rfmalloc-napi'

/** The packages of others that the addon links for a target: neither build scripts nor what only tests use. */
function linkedInto(triple) {
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', triple]
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 }
  const { packages, resolve, workspace_members: ours } = JSON.parse(execFileSync('cargo', args, options))
  const packageOf = new Map(packages.map(one => [one.id, one]))
  const nodeOf = new Map(resolve.nodes.map(node => [node.id, node]))
  const todo = packages.filter(one => one.name === ADDON).map(one => one.id)
  const seen = new Set(todo)
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    for (const { pkg, dep_kinds: kinds } of nodeOf.get(id).deps) {
      const macro = packageOf.get(pkg).targets.some(target => target.kind.includes('proc-macro'))
      if (seen.has(pkg) || macro || !kinds.some(({ kind }) => kind === null)) continue
      seen.add(pkg)
      todo.push(pkg)
    }
  }
  return [...seen].filter(id => !ours.includes(id)).map(id => packageOf.get(id))
}

/** The licence files in a package's folder, MIT's where there is a choice that has it. */
function textsOf(folder) {
  const names = readdirSync(folder).filter(name => /^(licen[cs]e|copying|notice)/i.test(name))
  const mit = names.filter(name => /mit/i.test(name))
  const chosen = mit.length > 0 ? mit : names
  return chosen
    .map(name => join(folder, name))
    .filter(file => existsSync(file))
    .map(file => readFileSync(file, 'utf8').trim())
}

/** A page with every package's name, version, licence and text; equal texts stand once. */
export function noticesFor(triple) {
  const byText = new Map()
  for (const one of linkedInto(triple).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const text = textsOf(dirname(one.manifest_path)).join('\n\n')
    const line = `- ${one.name} ${one.version}, ${one.license ?? 'see below'}: ${one.repository ?? 'crates.io'}`
    byText.set(text, [...(byText.get(text) ?? []), line])
  }
  const parts = [...byText].map(
    ([text, lines]) => `${lines.join('\n')}\n${text === '' ? '' : `\n\`\`\`text\n${text}\n\`\`\`\n`}`,
  )
  return `# What is compiled into this addon\n\nBesides rfmalloc itself and Rust's standard library (MIT OR Apache-2.0):\n\n${parts.join('\n')}`
}
