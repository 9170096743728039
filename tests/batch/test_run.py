# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit statuses of the command line, and what it leaves behind when it stops."""

import os
import signal
from pathlib import Path

import pytest

from batch import generate, run
from facegen_addon.errors import NotReached
from tests.on_threads import printed_on_threads


def _raise(error: BaseException) -> object:
    def stand_in(*_: object) -> None:
        raise error

    return stand_in


def _interrupt(*_: object) -> None:
    """As inside an operator: the interruption comes out as a RuntimeError."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise RuntimeError("Error: Python: KeyboardInterrupt") from None


@pytest.mark.parametrize(
    ("stand_in", "status", "said"),
    [
        (_raise(NotReached("16 heads at 0.9 were not reached; 0.61 was")), 3, "0.61 was"),
        (_raise(KeyboardInterrupt()), 130, "nothing was written"),
        (_interrupt, 130, "nothing was written"),
    ],
)
def test_a_run_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stand_in: object,
    status: int,
    said: str,
) -> None:
    monkeypatch.setattr(generate, "_run_operator", stand_in)
    before = signal.getsignal(signal.SIGINT)
    assert run.main(["generate", "--output", str(tmp_path / "run")]) == status
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGINT) == before


def test_a_defect_is_not_dressed_up_as_the_users_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "_run_operator", _raise(RuntimeError("defect")))
    with pytest.raises(RuntimeError, match="defect"):
        run.main(["generate", "--output", str(tmp_path / "run")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "own"),
    [
        (["batch/run.py", "generate", "--count", "3"], ["generate", "--count", "3"]),
        (["blender", "-b", "-P", "batch/run.py", "--", "generate"], ["generate"]),
        (["blender", "-b", "-P", "batch/run.py", "--"], []),
    ],
)
def test_own_arguments(argv: list[str], own: list[str]) -> None:
    assert run._own_arguments(argv) == own


def test_no_environment_changes_a_head(project: Path) -> None:
    """A linear algebra library on several threads sums otherwise."""
    forward = (
        "import batch.run, hashlib, numpy\n"
        "from facegen_addon.heads.catalogue import load_head_model\n"
        "model = load_head_model('anny')\n"
        "heads = model.forward(model.sample_prior(numpy.random.default_rng(0), 3))\n"
        "print(hashlib.sha256(heads.tobytes()).hexdigest())"
    )
    heads = printed_on_threads(project, forward)
    assert heads[0] == heads[1]
