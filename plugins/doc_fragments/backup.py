# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options C(BACKUP), C(MAKING) and C(READING) in C(module_utils/database/arguments.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """Where backups are, and what makes and reads them."""

    DOCUMENTATION = r"""
options:
  directory:
    description:
      - Folder of the backups. Each is a folder in it, named as its database and its time in UTC, with a manifest.
    type: path
    required: true
  s3:
    description:
      - Bucket that finished backups are brought to as well, as C(s3://BUCKET/PREFIX). Each object is sent with its
        SHA-256 and asked for it afterwards; the manifest comes last, so that half an upload is never taken for one.
      - A backup that is needed and not in O(directory) is fetched from there.
      - Credentials and endpoint are the environment's (E(AWS_ACCESS_KEY_ID), E(AWS_PROFILE), E(AWS_ENDPOINT_URL) and
        the like), else those that boto3 finds.
      - Several servers may share a folder or a bucket. A manifest says which server was dumped, by its system
        identifier, its address, and system and environment of the run.
    type: str
  client_directory:
    description:
      - Folder with PostgreSQL's C(pg_dump) and C(pg_restore). If not given, the oldest that is not older than the
        server is taken from C(/usr/lib/postgresql) and E(PATH).
    type: path
  jobs:
    description:
      - How many tables are dumped or restored at the same time, each over a connection of its own.
    type: int
    default: 2
  max_minutes:
    description:
      - How long all of it may take. What is not done by then is ended and removed.
    type: float
    default: 60
requirements:
  - PostgreSQL's client programs, not older than the server
  - boto3, for O(s3)
"""

    # Of what takes a backup.
    MAKING = r"""
options:
  compress:
    description:
      - The compression, as C(pg_dump --compress) takes it, such as V(zstd:3) or V(none).
      - A C(pg_dump) before 16 does V(gzip) and V(none) alone.
    type: str
    default: gzip
  reserve_bytes:
    description:
      - So much stays free on the disk. A backup is ended, and removed, before it takes more.
    type: int
    default: 1073741824
"""

    # Of what makes a database of one.
    READING = r"""
options:
  backup:
    description:
      - The backup's name, or V(newest), which is the newest whole one of this server and of exactly this database. One
        of another server is taken by its name alone.
    type: str
    default: newest
  maintenance_db:
    description:
      - The database of the server to connect to instead of O(login_db).
    type: str
    default: postgres
"""
