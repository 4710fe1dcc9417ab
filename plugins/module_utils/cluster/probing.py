# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation behind M(linkops.runbooks.pod_probe): what a pod says of something that it depends on."""

from __future__ import annotations

from typing import Any

from .. import lines
from ..call import Call
from ..errors import OperatorError
from ..lines import Line, unasked
from ..verdict import Verdict
from . import answers
from .exec import pod_exec

OUTPUT_BYTES = 16 << 10


def probe(call: Call) -> dict[str, Any]:
    """Run a probe in the oldest ready pod and read its answer; in check mode nothing runs."""
    looked = Line(call.params["line"], _asked(call))
    told = lines.told([looked])
    call.journal.note("probe", lines=told["lines"])
    return told


def _asked(call: Call) -> Verdict:
    if call.check_mode:
        return Verdict("unknown", "not asked in check mode: it takes a command in a pod")
    params = {**call.params, "pods": "one", "pod": None, "read_only": True, "output_bytes": OUTPUT_BYTES}
    # Its own words would repeat the whole program.
    quiet = Call(params, environment=call.environment)
    try:
        (ran,) = pod_exec(quiet)["results"]
    except OperatorError as fault:
        return unasked(fault)
    return answers.verdict(ran)
