# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How every module of the collection runs: its operation in the controller where that can be, else as a module.

In the controller it spares each task a process and an import of the module's library, and it shows progress, which a
module cannot. C(plugins/action) has a file of each module's name: Ansible loads an action plugin by its task's name, in
the process that the workers fork from. So that one imports the modules of a play once, and no others; Ansible's loader
keeps no bytecode of a collection. Links to one file would do as well, but antsibull-docs takes a link for a new name of
the module (C(docs_parsing/routing.py)).
"""

from __future__ import annotations

import importlib
import json
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.basic import env_fallback
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values, sanitize_keys
from ansible.module_utils.errors import AnsibleValidationError, UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.linkops.runbooks.plugins.module_utils.call import Call
from ansible_collections.linkops.runbooks.plugins.module_utils.dependency import library_missing
from ansible_collections.linkops.runbooks.plugins.module_utils.redaction import redact, redact_text
from ansible_collections.linkops.runbooks.plugins.module_utils.shell import Module, perform

display = Display()


class ControllerCall(Call):
    """A call whose progress goes to the terminal, each line with its host and without any secret."""

    host: str = ""
    silent: bool = False
    secrets: tuple[str, ...] = ()

    def say(self, line: str) -> None:
        """Show a line, unless the task has C(no_log); a terminal that is gone must not stop the work."""
        if not self.silent:
            try:
                display.display(f"{self.host} | {redact_text(line, self.secrets)}")
            except OSError:
                self.silent = True


class ControllerAction(ActionBase):
    """Run a module here or there. C(missing) says why its library cannot be imported here, None where it can."""

    _supports_check_mode = True
    _supports_async = True
    _supports_diff = True

    module: Module
    missing: str | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the operation in the controller, or the module where the connection leads."""
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        elsewhere = self._why_elsewhere(task_vars)
        if elsewhere:
            display.vv(f"{self._task.action} runs as a module: {elsewhere}", host=task_vars.get("inventory_hostname"))
            result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
            self._remove_tmp_path(self._connection._shell.tmpdir)
            return result
        result.update(self._in_controller(task_vars))
        return result

    def _why_elsewhere(self, task_vars: dict[str, Any]) -> str:
        """Why the operation cannot run in this process, empty if it can."""
        interpreter = self._templar.template(task_vars.get("ansible_python_interpreter"))
        if self._connection.transport != "local":
            return f"the connection is {self._connection.transport}"
        if self._task.async_val:
            return "the task is asynchronous"
        if self._play_context.become:
            return "the task becomes another user"
        if interpreter and interpreter not in ("auto", "auto_silent", task_vars.get("ansible_playbook_python")):
            return f"the interpreter is {interpreter}"
        if self.missing:
            return f"the controller cannot import {self.module.library} ({self.missing})"
        return ""

    def _in_controller(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        module, environment = self.module, self._environment()
        arguments = json.loads(json.dumps(self._task.args))  # plain data, free of the template engine's tags
        _from_environment(arguments, module, environment)
        validation = ArgumentSpecValidator(module.arguments, **module.rules).validate(arguments)
        secrets = tuple(validation._no_log_values)
        if validation.error_messages:
            raise AnsibleActionFail(redact_text("; ".join(map(self._explained, validation.errors.errors)), secrets))
        call = ControllerCall(
            validation.validated_parameters, check_mode=bool(self._task.check_mode), environment=environment
        )
        call.host, call.silent, call.secrets = self._host(task_vars), bool(self._task.no_log), secrets
        outcome = perform(module.operation, call, secrets)
        if not self._task.diff:
            outcome.pop("diff", None)
        if call.warnings:
            outcome["warnings"] = call.warnings
        outcome["invocation"] = {"module_args": redact(call.params)}  # with what an operator should not have given
        cleaned: dict[str, Any] = sanitize_keys(remove_values(outcome, secrets), secrets, ignore_keys={"invocation"})
        return cleaned

    def _explained(self, error: AnsibleValidationError) -> str:
        """A fault of the arguments as a module says it."""
        if isinstance(error, UnsupportedError):
            return f"Unsupported parameters for ({self._task.action}) module: {error.msg}"
        return str(error.msg)

    def _environment(self) -> dict[str, str]:
        """The process's environment with the task's own on top; nothing is put into os.environ."""
        of_task: dict[str, str] = {}
        self._compute_environment_string(of_task)
        return {**os.environ, **{key: str(value) for key, value in of_task.items()}}

    def _host(self, task_vars: dict[str, Any]) -> str:
        host = str(task_vars.get("inventory_hostname", ""))
        return f"{host} -> {self._task.delegate_to}" if self._task.delegate_to else host


def action_of(plugin: str) -> type[ControllerAction]:
    """The action plugin for the module of the same name; C(plugin) is the action plugin's own full name."""
    module: Module = importlib.import_module(plugin.replace(".plugins.action.", ".plugins.modules.")).MODULE
    return type("ActionModule", (ControllerAction,), {"module": module, "missing": library_missing(module.library)})


def _from_environment(arguments: dict[str, Any], module: Module, environment: dict[str, str]) -> None:
    """Fill what the task leaves out from the task's environment, where the spec has a fallback to the environment."""
    for name, option in module.arguments.items():
        fallback = option.get("fallback")
        if arguments.get(name) is None and fallback and fallback[0] is env_fallback:
            found = next((environment[variable] for variable in fallback[1] if environment.get(variable)), None)
            if found is not None:
                arguments[name] = found
