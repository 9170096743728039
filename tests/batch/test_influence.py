# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `influence`: resumes, refuses stale results, draws."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from batch import influence as command
from batch import influence_worker
from batch.command_line import worker_command
from batch.influence_sheet import draw_pages, markdown_table
from facegen_addon.errors import UserError
from facegen_addon.mapping import influence
from facegen_addon.mapping.influence import InfluenceSettings, Probe
from facegen_addon.terminal.pool_worker import Steps
from models.training import measure_influence
from tests.pool_here import PoolHere
from tests.toy_head import TABLE, ToyHead, toy_probe

ARGUMENTS = ["--model", "toy", "--heads", "2", "--samples", "2"]


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToyHead:
    model = ToyHead()
    monkeypatch.setenv("FACEGEN_DATA", str(tmp_path))
    monkeypatch.setattr(command, "load_head_model", lambda name: model)
    return model


class Prober:
    """Counts portraits, two for each parameter; `stop_at` raises Ctrl-C at one of them."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.portraits, self._stop_at = 0, stop_at

    @contextmanager
    def __call__(self, model: ToyHead, settings: InfluenceSettings) -> Iterator[Probe]:
        probe = toy_probe()

        def portrait(parameters: np.ndarray) -> bytes:
            if self.portraits == self._stop_at:
                raise KeyboardInterrupt
            self.portraits += 1
            return probe.portrait(parameters)

        yield Probe(probe.embed, portrait)


def test_all_parameters_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(ARGUMENTS, Prober()) == 0
    figures = influence.load("toy", TABLE)
    assert [slider.name for slider in figures.sliders] == list(TABLE.names)
    assert "| 1 | Strong | shape |" in capsys.readouterr().out


def test_a_stopped_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(ARGUMENTS, Prober(stop_at=5)) == 130
    assert "2 of 4 parameters are measured" in capsys.readouterr().err
    prober = Prober()
    assert command.main(ARGUMENTS, prober) == 0
    assert prober.portraits == 2 * 2
    whole = influence.load("toy")
    assert command.main([*ARGUMENTS, "--replace"], Prober()) == 0
    again = influence.load("toy")
    for mine, theirs in zip(whole.sliders, again.sliders, strict=True):
        np.testing.assert_array_equal(mine.distances, theirs.distances)


def test_a_complete_run_renders_nothing_again() -> None:
    command.main(ARGUMENTS, Prober())
    prober = Prober()
    assert command.main(ARGUMENTS, prober) == 0
    assert prober.portraits == 0


def test_chosen_parameters_are_added_to_those_measured_before() -> None:
    command.main([*ARGUMENTS, "--parameters", "turn"], Prober())
    assert [slider.name for slider in influence.load("toy").sliders] == ["turn"]
    command.main([*ARGUMENTS, "--parameters", "strong, weak"], Prober())
    assert [slider.name for slider in influence.load("toy").sliders] == ["strong", "weak", "turn"]


@pytest.mark.parametrize("change", [["--heads", "3"], ["--samples", "4"], ["--seed", "9"]])
def test_results_of_other_settings_are_refused(change: list[str]) -> None:
    command.main(ARGUMENTS, Prober())
    with pytest.raises(UserError, match=r"other settings .* add --replace"):
        command.main([*ARGUMENTS, *change], Prober())
    prober = Prober()
    assert command.main([*ARGUMENTS, *change, "--replace"], prober) == 0
    assert prober.portraits == 2 * len(TABLE)


def test_results_of_another_model_are_refused(toy: ToyHead) -> None:
    command.main(ARGUMENTS, Prober())
    toy.millimetres = toy.millimetres * 2
    with pytest.raises(UserError, match="another version of the model"):
        command.main(ARGUMENTS, Prober())


def test_a_truncated_result_is_refused() -> None:
    command.main(ARGUMENTS, Prober())
    path = influence.influence_folder() / "toy" / "weak.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"weak\.npz"):
        command.main(ARGUMENTS, Prober())


def test_workers_measure_what_is_not_done(
    toy: ToyHead, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([*ARGUMENTS, "--parameters", "turn"], Prober()) == 0
    alone, prober = Prober(), Prober()
    pool = PoolHere(partial(influence_worker.measuring, make_probe=prober))
    monkeypatch.setattr(command, "Pool", pool)
    monkeypatch.setattr(influence_worker, "load_head_model", lambda name: toy)
    assert command.main([*ARGUMENTS, "--workers", "9"]) == 0
    assert pool.jobs == [name for name in TABLE.names if name != "turn"]
    assert pool.size == len(pool.jobs) and pool.command[-1] == "influence-worker"
    assert prober.portraits == 2 * len(pool.jobs)
    assert command.main(ARGUMENTS, alone) == 0 and alone.portraits == 0


def test_a_worker_tells_of_every_render(toy: ToyHead, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it ends with a command that is stopped, not with its parameter."""
    pool = PoolHere(partial(influence_worker.measuring, make_probe=Prober()))
    monkeypatch.setattr(influence_worker, "load_head_model", lambda name: toy)
    options = command.parse_options(ARGUMENTS)
    pool([], 1, influence_worker.SetUp("toy", options.settings, options.encoder))
    heard = list(pool.work_off(["strong"]))
    assert heard.count(Steps(0)) == 2 + 2 + 2, "base heads twice, two heads, their portraits"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--heads", "0"], "--heads 0"),
        (["--samples", "many"], "--samples"),
        (["--workers", "0"], "--workers 0"),
        (["--parameters", "shoe"], "unknown parameter 'shoe'"),
        (["--sheet", "sheet.jpg"], "--sheet sheet.jpg"),
        (["--table", "."], "--table"),
    ],
)
def test_wrong_values_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        command.main([*ARGUMENTS, *arguments], Prober())


def test_the_sheet_has_a_cell_for_each_slider_the_strongest_first() -> None:
    command.main(ARGUMENTS, Prober())
    figures = influence.load("toy")
    seen: list[bytes] = []

    def decode(picture: bytes) -> np.ndarray:
        seen.append(picture)
        return np.full((64, 64, 3), 40 + 20 * len(seen), np.uint8)

    (page,) = draw_pages(figures, TABLE, decode)
    assert len(seen) == 2 * len(TABLE)
    assert seen[0] == figures.slider("strong").low_picture
    assert [(page == 40 + 20 * i).all(2).sum() >= 64 * 64 for i in range(1, 9)] == [True] * 8


def test_long_models_need_several_pages() -> None:
    command.main(ARGUMENTS, Prober())
    figures = influence.load("toy")
    many = influence.Influence("toy", figures.settings, "", "", figures.noise, figures.sliders * 13)
    assert len(draw_pages(many, TABLE, lambda _: np.zeros((32, 32, 3), np.uint8))) == 2


def test_the_table_marks_quarters_of_the_range() -> None:
    command.main(ARGUMENTS, Prober())
    rows = markdown_table(influence.load("toy"), TABLE, 4).splitlines()[4:]
    assert len(rows) == 4
    assert [row for row in rows if "(q)" in row] == [
        row for row in rows if "| Turn | pose |" in row
    ]


def test_another_encoders_figures_lie_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """The panel goes on showing FaceNet's; neither run spoils the other's."""
    command.main(ARGUMENTS, Prober())
    prober = Prober()
    assert command.main([*ARGUMENTS, "--encoder", "sface"], prober) == 0
    assert prober.portraits == 2 * len(TABLE.names)
    assert "toy-sface.npz" in capsys.readouterr().out
    folder = influence.influence_folder()
    ours, theirs = (influence.read(folder / f"toy{end}.npz") for end in ("", "-sface"))
    assert ours.fingerprint != theirs.fingerprint
    assert influence.load("toy", TABLE).fingerprint == ours.fingerprint
    assert command.main(ARGUMENTS, Prober(stop_at=0)) == 0


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(UserError, match="unknown encoder 'sfaze': choose facenet, sface"):
        command.main([*ARGUMENTS, "--encoder", "sfaze"], Prober())


def test_other_encoders_figures_are_not_committed(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure_influence.main([*ARGUMENTS, "--encoder", "sface"]) == 2
    assert "facenet's, not sface's" in capsys.readouterr().err


def test_workers_are_told_the_encoder(toy: ToyHead, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = PoolHere(partial(influence_worker.measuring, make_probe=Prober()))
    monkeypatch.setattr(command, "Pool", pool)
    monkeypatch.setattr(influence_worker, "load_head_model", lambda name: toy)
    arguments = [*ARGUMENTS, "--encoder", "sface"]
    assert command.main(arguments) == 0
    assert pool.set_up.encoder == command.parse_options(arguments).encoder


def test_workers_run_where_their_parent_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Blender itself, where there is one; with the same interpreter everywhere else."""
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    start, script, *further = worker_command(["influence", "--heads", "3"])
    assert (start, further) == (sys.executable, ["influence", "--heads", "3"])
    assert Path(script).is_file() and Path(script).name == "run.py"
    for path, expected in (
        ("/opt/blender", ["/opt/blender", "-b", "-P", script, "--", "measure"]),
        ("", [sys.executable, script, "measure"]),  # bpy is a module of the interpreter
    ):
        bpy = SimpleNamespace(app=SimpleNamespace(binary_path=path))
        monkeypatch.setitem(sys.modules, "bpy", bpy)
        assert worker_command(["measure"]) == expected
