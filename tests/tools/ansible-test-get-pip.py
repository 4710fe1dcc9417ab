# Copyright: (c) 2026, linkops.runbooks contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pip bootstrap for ansible-test where its own cannot be downloaded.

The pip that Python bundles comes first, then the packages that ansible-test asked for, from the package index in use.
"""

from __future__ import annotations

import subprocess
import sys

NOT_FOR_PIP = {"--no-setuptools", "--no-wheel"}

wanted = [argument for argument in sys.argv[1:] if argument not in NOT_FOR_PIP]
subprocess.check_output([sys.executable, "-m", "ensurepip", "--default-pip"])
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--force-reinstall", *wanted]))
