// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// ServiceLink web: pages rendered on the server, with data from the API.
import { behaviour, number, release, required, starting } from '../common/release.mjs'
import { answers, serve } from '../common/http.mjs'

const api = required('API_URL')
const reach = async path => {
  const response = await fetch(new URL(path, api), { signal: AbortSignal.timeout(1500) })
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response
}

const page = async () => {
  const available = await answers(() => reach('/health'))
  return {
    content: `<!doctype html><html lang="en"><title>ServiceLink</title><h1>ServiceLink</h1><p>API: ${available ? 'available' : 'unavailable'}</p></html>\n`,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  }
}

const health = async () => {
  const available = behaviour !== 'disconnected' && (await answers(() => reach('/health')))
  // The page is served without the API too: only the answer's body tells.
  return { status: starting() ? 503 : 200, content: { status: starting() ? 'starting' : 'ok', api: available ? 'connected' : 'disconnected' }, headers: {} }
}

serve({
  name: 'servicelink-web',
  port: number('PORT', 3000),
  routes: { 'GET /': page, 'GET /health': health, 'GET /version': () => ({ version: release.version }) },
})
