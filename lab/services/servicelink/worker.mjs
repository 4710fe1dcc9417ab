// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// ServiceLink worker: sends the reminders that the API queues.
import { log, mustFail, number, required, starting } from '../common/release.mjs'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import prometheus from 'prom-client'
import { answers, serve } from '../common/http.mjs'

const jobs = new prometheus.Counter({ name: 'reminders_total', help: 'Reminders handled', labelNames: ['result'] })
// BullMQ demands unlimited retries of a worker's connection.
const redis = new Redis(required('REDIS_URL'), { connectionName: 'servicelink-worker', maxRetriesPerRequest: null })
redis.on('error', error => log('warn', 'redis', { error: error.message }))

const remind = async job => {
  await wait(number('REMINDER_MILLISECONDS', 20))
  if (mustFail()) throw new Error('the mail provider refused')
  return { sent: job.data.jobId }
}
const worker = new Worker('reminders', remind, { connection: redis, concurrency: number('CONCURRENCY', 2) })
worker.on('error', error => log('warn', 'worker', { error: error.message }))
worker.on('completed', job => { jobs.inc({ result: 'completed' }); log('info', 'reminder sent', { job: job.id }) })
worker.on('failed', (job, error) => { jobs.inc({ result: 'failed' }); log('error', 'ERROR reminder failed', { job: job?.id, error: error.message }) })

const health = async () => {
  const connected = await answers(() => redis.ping())
  const status = starting() ? 'starting' : connected ? 'ok' : 'error'
  return { status: status === 'ok' ? 200 : 503, content: { status, redis: connected ? 'connected' : 'disconnected' }, headers: {} }
}

serve({
  name: 'servicelink-worker',
  port: number('PORT', 3002),
  routes: { 'GET /health': health },
  stop: async () => {
    await worker.close()
    redis.disconnect()
  },
})
