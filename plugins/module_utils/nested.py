# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of one module among the arguments of another, validated as the first would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .errors import Fault, OperatorError


def validated(name: str, spec: Mapping[str, Any], given: Mapping[str, Any], common: Mapping[str, Any]) -> Any:
    """The parameters that C(given) makes, with those of the outer call that both have.

    Raises C(OperatorError) where they do not fit, and where one is a secret: it would be shown with the arguments.
    """
    if hidden := sorted(option for option in given if spec.get(option, {}).get("no_log")):
        message = f"{name} is given {', '.join(hidden)} in the open."
        raise OperatorError(Fault("input_invalid", message, "Put it into a file, or into the environment."))
    validation = ArgumentSpecValidator(dict(spec)).validate({**common, **given})
    if validation.error_messages:
        raise OperatorError(Fault("input_invalid", f"{name}: {'; '.join(validation.error_messages)}.", "Correct it."))
    return validation.validated_parameters
