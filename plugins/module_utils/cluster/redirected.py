# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command of an image against another database than its environment names. Pure.

The URL is changed within the pod: its password is written nowhere, neither into a Secret nor into arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Where Prisma does not say itself that it goes to the right database.
ASTRAY = 97

# Node is in the image, as Prisma's CLI is written for it. All variables with a URL of the database are changed, since
# its configuration may read another than the one that is known. Before it migrates, Prisma is asked where it goes: a
# configuration that reads a file in the image would still lead to the real database.
_PROGRAM = f"""
const {{ spawnSync }} = require('child_process')
const [from, to, ...command] = process.argv.slice(1)
for (const [name, value] of Object.entries(process.env)) {{
  let url
  try {{ url = new URL(value) }} catch {{ continue }}
  if (!/^postgres(ql)?:$/.test(url.protocol) || decodeURIComponent(url.pathname.slice(1)) !== from) continue
  url.pathname = '/' + encodeURIComponent(to)
  process.env[name] = url.href
}}
if (process.env.PGDATABASE) process.env.PGDATABASE = to
const prisma = (words, stdio) => spawnSync(command[0], [...command.slice(1), 'migrate', ...words], {{ stdio }})
const asked = prisma(['status'], 'pipe')
const said = String(asked.stdout) + String(asked.stderr)
const [, where] = said.match(/Datasource.*? database "([^"]*)"/) || []
if (where !== to) {{
  console.error(`Error: Prisma goes to the database ${{where || '(it does not say which)'}} and not to ${{to}}.`)
  process.exit({ASTRAY})
}}
const done = prisma(['deploy'], 'inherit')
if (done.error) console.error(`Error: ${{done.error.message}}`)
process.exit(done.status ?? 1)
"""


def deploy(command: Sequence[str], database: str, instead: str) -> list[str]:
    """The command that applies migrations to C(instead); C(command) is Prisma's CLI."""
    return ["node", "-e", _PROGRAM, database, instead, *command]
