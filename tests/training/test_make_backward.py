# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of steps, and which of them are skipped."""

from pathlib import Path

import pytest

from facegen_addon.heads.catalogue import DEFAULT_FLAME
from models.training import make_backward, pairs


@pytest.fixture
def steps(models: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    taken: list[list[str]] = []
    monkeypatch.setattr(make_backward, "_step", taken.append)
    return taken


def arguments(tmp_path: Path, *more: str) -> list[str]:
    python = tmp_path / "python"
    python.touch()
    return ["--render-python", str(python), "--train-python", str(python), "--rounds", "2", *more]


def names(steps: list[list[str]]) -> list[str]:
    return [step[3] for step in steps]


def test_rounds_alternate_training_and_rendering(models: Path, steps: list[list[str]]) -> None:
    assert make_backward.main(arguments(models)) == 0
    one_round = ["surrogates", "propose", "round"]
    assert names(steps) == [
        "initial", *one_round, *one_round, "rounds", "pack", "surrogates", "distil",
    ]  # fmt: skip
    assert "--warm" not in steps[1] and "--warm" in steps[4]


def test_committed_table_spares_all_rendering(models: Path, steps: list[list[str]]) -> None:
    pairs.table_path(DEFAULT_FLAME).touch()
    assert make_backward.main(arguments(models)) == 0
    assert names(steps) == ["surrogates", "distil"]
    steps.clear()
    assert make_backward.main(arguments(models, "--force")) == 0
    assert "initial" in names(steps)


def test_a_proposal_that_is_there_is_not_made_again(models: Path, steps: list[list[str]]) -> None:
    path = pairs.proposal_path(DEFAULT_FLAME, 1)
    path.parent.mkdir(parents=True)
    path.touch()
    assert make_backward.main(arguments(models)) == 0
    assert names(steps)[:3] == ["initial", "round", "surrogates"]


def test_missing_environment_is_one_line(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_backward.main(["--render-python", "/nowhere/python"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
