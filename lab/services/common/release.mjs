// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Which image this is and how it misbehaves. Imported first by every service, so that a behaviour that ends the
// process early does so before anything else is loaded.
import { readFileSync } from 'node:fs'

const built = () => {
  try {
    return JSON.parse(readFileSync(new URL('../release.json', import.meta.url), 'utf8'))
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return { image: 'checkout', version: 'v0.0.0', behaviour: 'good' }
  }
}

export const BEHAVIOURS = [
  'good', 'never-ready', 'crash', 'crash-ready', 'errors', 'disconnected', 'leak', 'slow-start', 'bad-exit', 'ignore-term',
]
export const release = built()
export const behaviour = process.env.LAB_BEHAVIOUR || release.behaviour
export const startedAt = Date.now()

export const log = (level, message, fields = {}) =>
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`)

export const fatal = message => {
  // Written synchronously: the last line of a dying process must reach the log.
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level: 'fatal', message })}\n`)
  process.exit(1)
}

export const required = name => process.env[name] || fatal(`configuration: ${name} is not set`)
export const list = value => (value ?? '').split(',').map(item => item.trim()).filter(Boolean)
export const number = (name, fallback) => {
  const value = Number(process.env[name] || fallback)
  return Number.isFinite(value) ? value : fatal(`configuration: ${name}=${process.env[name]} is not a number`)
}

// PID 1 ignores a signal without a handler: a pod that is deleted while it starts would use up its grace period.
if (behaviour !== 'ignore-term') process.on('SIGTERM', () => process.exit(0))

const crashAfter = reason => setTimeout(() => fatal(reason), 1000 * number('CRASH_AFTER_SECONDS', 3))

const leak = () => {
  // Buffers live outside V8's heap, so the cgroup's limit ends the process (OOMKilled), not V8's own.
  const kept = []
  const step = 4
  setInterval(() => kept.push(Buffer.alloc(step << 20, 1)), 1000 * step / number('LEAK_MIB_PER_SECOND', 32))
}

const entered = {
  'bad-exit': () => fatal('cannot start: the licence file is from another environment'),
  crash: () => crashAfter('cannot start: loading price rules failed: unexpected end of JSON input'),
  'crash-ready': () => crashAfter('uncaught exception: cannot read properties of undefined (reading "tenant")'),
  leak,
}
if (!BEHAVIOURS.includes(behaviour)) fatal(`configuration: LAB_BEHAVIOUR=${behaviour} is none of ${BEHAVIOURS.join(', ')}`)
entered[behaviour]?.()

// A service that is still starting answers its probes with 503.
const readyAfter = { 'never-ready': Infinity, crash: Infinity, 'slow-start': number('SLOW_START_SECONDS', 10) }
export const starting = () => Date.now() - startedAt < 1000 * (readyAfter[behaviour] ?? 0)

let businessRequests = 0
// With behaviour "errors" every fifth business request fails: 20 %, evenly, so that small samples are exact.
export const mustFail = () => behaviour === 'errors' && businessRequests++ % 5 === 4
