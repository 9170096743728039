# SPDX-License-Identifier: GPL-3.0-or-later
"""Layouts tried by render processes that need no Blender; and one small run by several layouts."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from batch import run
from batch.dataset import calibrate
from batch.dataset import layout as layouts
from batch.dataset.batch_encoder import BatchEncoder
from batch.dataset.calibrate import WORTH_TRYING, Trial, layout_for
from batch.dataset.layout import Layout, LayoutMemory
from batch.dataset.options import DatasetOptions, parse_options
from batch.dataset.plan import Plan
from batch.dataset.recipe import Recipe
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from tests.dataset.test_farm import FAKE, ToyEncoder

RULE, QUICK = Layout(4, 1), Layout(2, 2)
LONG = 4 * WORTH_TRYING


@pytest.fixture(autouse=True)
def a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores that nothing is known of."""
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path / "data"))
    for module in (layouts, calibrate):
        monkeypatch.setattr(module, "usable_cores", lambda: 4)
        monkeypatch.setattr(module, "usable_memory", lambda: 10**11)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Devices of the trials, in which two processes of two threads are the fastest."""
    devices: list[str] = []

    def try_all(layouts: list[Layout], device: str) -> dict[Layout, float]:
        devices.append(device)
        assert layouts[0] == RULE and QUICK in layouts
        return {layout: 2.0 if layout == QUICK else 1.0 for layout in layouts}

    monkeypatch.setattr(calibrate, "try_all", try_all)
    return devices


def options(*words: str) -> DatasetOptions:
    return parse_options(["--recipe", "minimal", *words])


def test_a_long_run_is_laid_out_by_trial_once(tried: list[str]) -> None:
    assert layout_for(options(), LONG) == QUICK
    assert layout_for(options(), LONG) == QUICK
    assert layout_for(options(), 4) == QUICK, "known by now"
    assert tried == ["auto"]
    assert layout_for(options("--device", "CPU"), LONG) == QUICK
    assert tried == ["auto", "CPU"]


def test_a_short_run_and_one_that_says_its_layout_try_nothing(tried: list[str]) -> None:
    assert layout_for(options(), LONG - 1) == RULE
    assert layout_for(options("--workers", "3"), 10**6) == Layout(3, 1)
    assert layout_for(options("--threads", "2"), 10**6) == Layout(4, 2)
    assert layout_for(options("--workers", "1", "--threads", "2"), 10**6) == Layout(1, 2)
    assert tried == []


def test_while_another_process_tries_the_rule_is_taken(
    tried: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with LayoutMemory("auto").alone():
        assert layout_for(options(), LONG) == RULE
        assert run.main(["dataset", "calibrate"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("facegen: another process")
    assert tried == []


def test_the_command_prints_all_and_keeps_the_fastest(
    tried: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["dataset", "calibrate", "--device", "CPU"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "from now on" in line] == [lines[1]]
    assert lines[1].split()[:5] == ["2", "processes", "of", "2", "threads"]
    assert LayoutMemory("CPU").recall() == QUICK


def test_ctrl_c_keeps_what_was_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    LayoutMemory("CPU").keep({RULE: 1.0})

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate, "try_all", stopped)
    assert run.main(["dataset", "calibrate", "--device", "CPU"]) == 130
    assert "stopped" in capsys.readouterr().err
    assert LayoutMemory("CPU").recall() == RULE
    with LayoutMemory("CPU").alone() as alone:
        assert alone


def trial(*harm: str, clock: Callable[[], float] = lambda: 0.0) -> Trial:
    """A trial of processes that render noise."""
    recipe = Recipe.read("minimal")
    recipe = replace(recipe, heads=replace(recipe.heads, distribution="prior"))
    plan = Plan(recipe, load_head_model("open_flame"), 0)
    command = [*FAKE, *harm]
    return Trial(plan, "CPU", BatchEncoder(ToyEncoder()), clock, command)  # type: ignore[arg-type]


def test_a_rate_is_of_what_follows_the_first_head_of_each_process() -> None:
    ticks = iter([100.0, 104.0])
    one, steps = trial(clock=lambda: next(ticks)), list[None]()
    rate = one.rate(Layout(3, 1), lambda: steps.append(None))
    assert rate == 6 / 4.0, "two heads each, in four seconds"
    assert len(steps) == one.heads(Layout(3, 1)) == 9


def test_a_layout_that_does_not_work_is_left_out_but_not_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Narrow(Trial):
        tried: ClassVar[list[Layout]] = []

        def rate(self, layout: Layout, step: calibrate.Step) -> float:
            self.tried.append(layout)
            if layout.workers > 2:
                raise UserError("no memory left")
            return float(len(self.tried))

    plain = trial()
    narrow = Narrow(plain.plan, "GPU", plain.encoder)
    monkeypatch.setattr(Trial, "of", lambda device: narrow)
    one = Layout(1, 4)
    assert calibrate.try_all([QUICK, RULE, one], "GPU") == {QUICK: 5.0, one: 4.0}
    assert narrow.tried == [QUICK, RULE, one, one, QUICK], "there and back"
    with pytest.raises(UserError, match="no memory left"):
        calibrate.try_all([RULE, QUICK], "GPU")


@pytest.mark.slow
def test_layouts_make_the_same_bytes(project: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        '[heads]\ndistribution = "prior"\n[image]\nsize = 64\nsamples = 2\n', encoding="utf-8"
    )
    made = {}
    for workers, threads in ((1, 2), (2, 1)):
        folder = tmp_path / f"{workers}x{threads}"
        command = [sys.executable, "batch/run.py", "dataset", "make", "--recipe", str(recipe)]
        command += ["--count", "5", "--shard-size", "3", "--output", str(folder)]
        command += ["--workers", str(workers), "--threads", str(threads), "--device", "CPU"]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shards = sorted(folder.glob("data-*.tar"))
        made[workers, threads] = [hashlib.sha256(s.read_bytes()).hexdigest() for s in shards]
    assert len(made[1, 2]) == 2
    assert made[1, 2] == made[2, 1]
