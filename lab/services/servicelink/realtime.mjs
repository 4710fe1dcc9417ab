// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The WebSocket gateway: Engine.IO at /socket.io/, chat in namespace /ws, fanned out between pods over Redis.
import { createAdapter } from '@socket.io/redis-adapter'
import prometheus from 'prom-client'
import { Server } from 'socket.io'
import { log } from '../common/release.mjs'

const connections = new prometheus.Gauge({ name: 'websocket_connections', help: 'Open chat connections' })
const messages = new prometheus.Counter({ name: 'websocket_messages_total', help: 'Chat messages relayed' })

/** Attach the gateway to `server`; returns it with the Redis connection that its adapter subscribes on. */
export const realtime = (server, redis, origins) => {
  // The adapter's own connection: it subscribes when Redis is there, however long that takes.
  const subscriber = redis.duplicate({ connectionName: 'servicelink-api-realtime', maxRetriesPerRequest: null })
  subscriber.on('error', error => log('warn', 'redis of the gateway', { error: error.message }))
  const io = new Server(server, { cors: { origin: origins, credentials: true }, adapter: createAdapter(redis, subscriber) })
  io.of('/ws').on('connection', socket => {
    connections.inc()
    socket.on('disconnect', () => connections.dec())
    socket.on('message', (content, acknowledge) => {
      messages.inc()
      io.of('/ws').emit('message', content)
      acknowledge?.({ received: true })
    })
  })
  return { io, subscriber }
}
