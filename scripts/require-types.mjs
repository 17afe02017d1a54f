// `npm run build:ts`, second half: for every declaration dist/**/*.d.ts a twin *.d.cts, which is what the `require` door shows. One set of
// declarations would do for TypeScript ≥ 5.8 alone: older ones refuse (TS1479) a CommonJS declaration that reaches into a module.
// Only types are doubled; dist/index.cjs hands out the module's own classes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const RELATIVE = /((?:from|import)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]+)\.js\2/g

for (const name of readdirSync(dist, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue
  const twin = readFileSync(join(dist, name), 'utf8').replace(RELATIVE, '$1$2$3.cjs$2')
  writeFileSync(join(dist, name.replace(/\.ts$/, '.cts')), twin)
}
