# SPDX-License-Identifier: GPL-3.0-or-later
"""Which FaceGen may go on with a run: any that makes the same bytes of its request."""

from collections.abc import Mapping
from typing import Any

BYTES_FORMAT = 4
"""Goes up with every change after which the same request gives other bytes in any shard: of images,
labels, latents or records, or of how they are packed. A run that another format began is not gone
on with. What leaves the bytes alone (comments, names, speed, what closes a run) leaves it alone.

tests/dataset/test_golden_bytes.py fails where bytes change and this number does not.
"""
FORMAT_KEY = "format of the bytes"
FACEGEN_KEY = "FaceGen"


def decisive(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request without what is noted only: another version of FaceGen that makes the same bytes
    goes on with a run."""
    noted = request.get("versions", {})
    return {**request, "versions": {n: v for n, v in noted.items() if n != FACEGEN_KEY}}


def other_format(former: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """How the bytes of a run that has begun differ from those of a request, in words; "" if they
    do not."""
    then, now = former.get("versions", {}), request.get("versions", {})
    if then.get(FORMAT_KEY) == now.get(FORMAT_KEY):
        return ""
    began = f"FaceGen {then.get(FACEGEN_KEY)} began it"
    if FORMAT_KEY not in then:  # but a hash of its sources
        return f"{began}, before the format of the bytes was noted"
    change = f"format {then[FORMAT_KEY]} -> {now.get(FORMAT_KEY)}"
    return f"{began}, and this one's samples have other bytes: {change}"
