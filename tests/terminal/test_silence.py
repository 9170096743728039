# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender prints stays out of the way, unless something is wrong."""

import os
import subprocess

import pytest

from facegen_addon.errors import UserError
from facegen_addon.terminal.silence import blender_silent

CHATTER = (
    b"Fra:1 Mem:30M | Sample 1/16\nSaved: '/x/head.png'\nTime: 00:01.00 (Saving: 00:00.00)\n\n"
)


def test_chatter_is_never_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with blender_silent():
        for _ in range(100):
            os.write(1, CHATTER)
        subprocess.run(["sh", "-c", "echo of a child"], check=True)
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "")


def test_the_reason_of_a_failed_render_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), blender_silent():
        os.write(1, CHATTER + b"Error: Out of memory in CUDA queue\n" + CHATTER)
        raise RuntimeError
    assert capfd.readouterr() == ("", "Blender: Error: Out of memory in CUDA queue\n")


def test_what_was_said_of_earlier_heads_is_forgotten(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), blender_silent() as chatter:
        os.write(1, b"Warning: of the first head\n")
        chatter.forget()
        os.write(1, b"Error: of the second\n")
        raise RuntimeError
    assert capfd.readouterr().err == "Blender: Error: of the second\n"


def test_an_error_of_the_users_stays_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError), blender_silent():
        os.write(1, b"Warning: something\n")
        raise UserError("put it right")
    assert capfd.readouterr() == ("", "")
