// Asks the database as the service does: from its pod, with the URL and the library (pg) that it uses. One line of JSON.
const began = Date.now()
const say = answer => {
  console.log(JSON.stringify({ milliseconds: Date.now() - began, ...answer }))
  process.exit(0)
}
const connectionString = process.env.DATABASE_URL
if (!connectionString) say({ ok: null, code: 'DATABASE_URL is not set' })
let Client
try {
  ({ Client } = require('pg'))
} catch (error) {
  say({ ok: null, code: error.code })
}
// An object: given the URL itself, pg's Pool takes no notice of it and goes to localhost.
const client = new Client({
  connectionString, application_name: 'linkops.runbooks', connectionTimeoutMillis: 1500, query_timeout: 1500,
})
client.on('error', error => say({ ok: false, code: error.code || error.name }))
client.connect()
  .then(() => client.query(`
    SELECT coalesce(application_name, '') AS application, coalesce(state, 'hidden') AS state, count(*)::int AS count
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
    GROUP BY 1, 2 ORDER BY 3 DESC`))
  .then(({ rows }) => say({ ok: true, sessions: rows }), error => say({ ok: false, code: error.code || error.message }))
