// A package registry on the loopback address that has the packages of a release and nothing else. npm resolves, chooses by os, cpu and
// libc, and installs as it will from the public one; what it fetched is listed.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

/** `packages` are folders with a package.json and, where there is one, the packed `tarball`. */
export async function openRegistry(packages) {
  const documents = new Map()
  const tarballs = new Map()
  const fetched = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url)
    const body = tarballs.get(path) ?? documents.get(path)?.(server.address().port)
    if (tarballs.has(path)) fetched.push(path.split('/').at(-1))
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(body ?? '{}')
  })
  for (const { folder, tarball } of packages) {
    const own = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const path = `/files/${own.name}-${own.version}.tgz`
    const bytes = tarball === undefined ? undefined : readFileSync(tarball)
    if (bytes !== undefined) tarballs.set(path, bytes)
    const integrity = `sha512-${createHash('sha512')
      .update(bytes ?? '')
      .digest('base64')}`
    documents.set(`/${own.name}`, port => {
      const version = { ...own, dist: { tarball: `http://127.0.0.1:${port}${path}`, integrity } }
      return JSON.stringify({
        name: own.name,
        'dist-tags': { latest: own.version },
        versions: { [own.version]: version },
      })
    })
  }
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Files of the tarballs that were fetched, in order. */
    fetched,
    close: () => new Promise(resolve => server.close(resolve)),
  }
}
