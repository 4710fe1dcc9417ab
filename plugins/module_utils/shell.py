# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where Ansible meets the engine: a module is its argument spec and one operation, run here or by the action plugin."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .call import Call, Operation
from .errors import Interrupted, OperatorError
from .incident.record import RunRecord
from .interruption import interruptible
from .redaction import redact, redact_text


@dataclass(frozen=True)
class Module:
    """A module of this collection. C(rules) are further arguments of AnsibleModule, such as C(mutually_exclusive).

    C(library) is the one that the operation cannot do without, as Python imports it.
    """

    operation: Operation
    arguments: dict[str, dict[str, Any]]
    rules: dict[str, Any] = field(default_factory=dict)
    library: str = "kubernetes"

    def run(self) -> NoReturn:
        """Run as a module, on whatever machine Ansible brought it to."""
        module = AnsibleModule(argument_spec=self.arguments, supports_check_mode=True, **self.rules)
        call = Call(module.params, check_mode=module.check_mode, environment=dict(os.environ))
        result = perform(self.operation, call, tuple(module.no_log_values))
        for sentence in call.warnings:
            module.warn(sentence)
        result["invocation"] = {"module_args": redact(module.params)}  # with what an operator should not have given
        if not module._diff:  # noqa: SLF001 (AnsibleModule has no public name for it)
            result.pop("diff", None)
        if result.get("failed"):
            module.fail_json(**result)
        module.exit_json(**result)


def perform(operation: Operation, call: Call, secrets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Call an operation and turn what it raises into a failed result with stable fields: never a traceback.

    An C(Interrupted) passes through, after the operation has cleaned up.
    """
    run = call.params.get("run") or {}
    if run.get("record") and Path(run["record"]).is_dir():
        call.journal = RunRecord(Path(run["record"]), run["id"], secrets)
    try:
        with interruptible():
            result = operation(call)
    except Interrupted:
        raise
    except OperatorError as fault:
        result = {
            "changed": False,
            **fault.details,
            "failed": True,
            "msg": str(fault),
            "reason": fault.reason,
            "faults": redact([each.as_result() for each in fault.faults], secrets),
        }
    except (Exception, SystemExit) as defect:  # noqa: BLE001  # pylint: disable=broad-except
        said = f"{type(defect).__name__}: {defect}" if str(defect) else type(defect).__name__
        result = {
            "changed": False,
            "failed": True,
            "reason": "defect",
            "msg": f"A defect of linkops.runbooks: {said.rstrip('.')}. Look at the service before you press again, "
            "and report it.",
        }
    if isinstance(call.journal, RunRecord):
        if result.get("failed"):
            call.journal.note("failed", reason=result.get("reason", ""), message=result["msg"])
        if call.journal.complaint:
            call.warn(call.journal.complaint)
    if result.get("msg"):
        result["msg"] = redact_text(result["msg"], secrets)
    return result
