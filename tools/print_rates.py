# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the stages' seconds and heads per second from a report.json."""

import json
import sys
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
print(f"{'stage':<12} {'seconds':>8} {'heads/s':>8}")
for stage, seconds in report["seconds"].items():
    print(f"{stage:<12} {seconds:8.1f} {report['heads_per_second'][stage]:8.1f}")
