# SPDX-License-Identifier: GPL-3.0-or-later
"""The talk's expectation on a synthetic forward mapping: rows, resuming, refusals, the answer."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.artifacts import read_npz
from facegen_addon.errors import RejectedSample
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.metrics import moments
from facegen_addon.latent.sphere import normalise
from facegen_addon.random_streams import random_stream
from models.training import expectation, expectation_figures, fit_pairs, pairs, real_latents
from models.training.expectation_page import answer, page
from models.training.expectation_rows import KEYS, LOOKS, SHAPE, rows_of
from tests.mapping.test_backward import small_ensemble
from tests.training.synthetic import SyntheticForward

SOME = ("shape", "hair", "expression")


@pytest.fixture(scope="module")
def person() -> HeadModel:
    return load_head_model("person")


@pytest.fixture(autouse=True)
def few_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are nobody's concern here."""
    monkeypatch.setattr(expectation_figures, "HALVES", 6)


@pytest.fixture
def forward(person: HeadModel, monkeypatch: pytest.MonkeyPatch) -> SyntheticForward:
    """F in closed form; the real people are heads of the prior."""
    found = SyntheticForward(person.table)
    people = found(person.sample_prior(random_stream(7), 200))
    monkeypatch.setattr(real_latents, "held_out_latents", lambda count: people[:count])
    monkeypatch.setattr(real_latents, "fit_latents", lambda: people[100:])
    return found


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Surrogates that know nothing, since torch is elsewhere; the names of those that were fitted,
    in their order."""
    fitted: list[str] = []

    def fit(python: Path, source: Path, target: Path, epochs: int) -> None:
        fitted.append(target.stem)
        pairs.save_npz(target, **small_ensemble(read_npz(source)["z"].shape[1]).arrays())

    monkeypatch.setattr(expectation, "fit", fit)
    return fitted


def arguments(work: Path, *more: str) -> list[str]:
    return ["--quick", "--work", str(work), "--train-python", sys.executable, *more]


def test_each_guided_parameter_is_freed_by_one_row(person: HeadModel) -> None:
    rows, table = rows_of(person.table), person.table
    names = np.array([table.names[column] for column in table.guided])
    assert tuple(rows) == KEYS
    for before, key in pairwise(KEYS):
        freed = set(names[rows[key].free & ~rows[before].free])
        assert freed == LOOKS[key].names & set(names)
        assert not (rows[before].free & ~rows[key].free).any()
    assert rows["expression"].free.all()
    kept = set(names[rows[SHAPE].free])
    assert kept <= person.shape_parameters
    assert {"gender", "age", "nose_hump_incr", "eyebrows_trans_up"} <= kept


def test_what_is_held_is_absent_and_the_same_for_all(person: HeadModel) -> None:
    table, rows = person.table, rows_of(person.table)
    z = table.standardise(person.sample_prior(random_stream(1), 20))
    bald = table.from_standardised(rows[SHAPE].held_of(z))
    for name in ("hair_density", "brow_density", "beard_density", "skin_lines", "beard_shadow"):
        np.testing.assert_allclose(bald[:, table.index(name)], 0, atol=2e-4)
    np.testing.assert_allclose(bald[:, table.columns("resting")], 0, atol=2e-4)
    np.testing.assert_allclose(
        bald[:, table.index("skin_melanin")], table.mean[table.index("skin_melanin")]
    )
    whole = rows["expression"].held_of(z)
    np.testing.assert_array_equal(whole, pairs.quantised(z))
    guided = rows[SHAPE].table(table).guided
    np.testing.assert_array_equal(guided, table.guided[rows[SHAPE].free])


def test_the_table_has_the_rows_that_are_asked_for_in_their_order(
    tmp_path: Path, forward: SyntheticForward, untrained: list[str], capsys: pytest.CaptureFixture
) -> None:
    chosen = ("--rows", "expression", "shape", "hair")
    assert expectation.main(arguments(tmp_path, *chosen), forward) == 0
    report = json.loads((tmp_path / "expectation.json").read_text())
    assert [row["key"] for row in report["rows"]] == list(SOME)
    assert [row["pairs"] for row in report["rows"]] == [60, 60, 60]
    assert "step" not in report["rows"][0]
    assert report["change"]["low"] <= report["change"]["value"] <= report["change"]["high"]
    text = (tmp_path / "expectation.md").read_text()
    assert "| shape alone | 0." in text
    assert "| + hair | 0." in text
    assert "has not all rows" in text
    assert untrained[:3] == ["shape_surrogates_1", "shape_surrogates_2", "shape_surrogates_3"]
    said = capsys.readouterr()
    assert said.out.strip() == text.strip()
    assert "252 of 252 heads" in said.err
    assert "ETA" in said.err
    free = rows_of(load_head_model("person").table)["shape"].free
    rendered = np.concatenate(
        [read_npz(chunk)["z"] for chunk in tmp_path.glob("shape_*/chunk_*.npz")]
    )
    assert len(rendered) == 60 + 24
    assert (np.ptp(rendered[:, ~free], axis=0) == 0).all()
    assert (np.ptp(rendered[:, free], axis=0) > 0).all()


def test_a_stopped_run_goes_on_and_a_whole_one_renders_nothing(
    tmp_path: Path, forward: SyntheticForward, untrained: list[str], capsys: pytest.CaptureFixture
) -> None:
    rendered: list[int] = []

    def dying(limit: int) -> Callable[[np.ndarray], np.ndarray]:
        def render(parameters: np.ndarray) -> np.ndarray:
            if len(rendered) == limit:
                raise KeyboardInterrupt
            rendered.append(1)
            return forward(parameters)

        return render

    command = arguments(tmp_path, "--rows", "shape", "colours")
    assert expectation.main(command, dying(110)) == 130
    assert "the same command goes on" in capsys.readouterr().err
    rendered.clear()
    # Of 168 heads, 84 of the first row and a chunk of 20 of the second one were there.
    assert expectation.main(command, dying(200)) == 0
    assert len(rendered) == 168 - 84 - 20
    assert len(untrained) == len(set(untrained)) == 6
    first = (tmp_path / "expectation.json").read_bytes()
    rendered.clear()
    assert expectation.main(command, dying(0)) == 0
    assert (tmp_path / "expectation.json").read_bytes() == first
    assert expectation.main([*command, "--people", "30"], forward) == 2
    assert "another budget" in capsys.readouterr().err


def test_heads_without_a_face_are_left_out(
    tmp_path: Path, forward: SyntheticForward, untrained: list[str]
) -> None:
    def fussy(parameters: np.ndarray) -> np.ndarray:
        if parameters[0, 0] > 0.8:
            raise RejectedSample("no face")
        return forward(parameters)

    assert expectation.main(arguments(tmp_path, "--rows", "shape", "colours"), fussy) == 0
    rows = json.loads((tmp_path / "expectation.json").read_text())["rows"]
    assert all(20 < row["pairs"] < 60 for row in rows)
    assert all(4 <= row["heads"] < 24 for row in rows)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--pairs", "20"), "--pairs 20 says nothing: give 50 or more"),
        (("--people", "3"), "--people 3 says nothing: give 10 or more"),
        (("--train-python", "nowhere/python"), "nowhere/python is missing"),
        (("--model", "anny"), "--model anny has not these parts"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    tmp_path: Path, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture
) -> None:
    assert expectation.main(arguments(tmp_path, *more)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_unknown_rows_are_refused(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        expectation.main(["--rows", "hats"])
    assert stop.value.code == 2
    assert "hats" in capsys.readouterr().err


def test_a_fit_that_fails_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(expectation.UserError, match=r"fitting s.npz ended with status [12]"):
        expectation.fit(Path(sys.executable), tmp_path / "none.npz", tmp_path / "s.npz", 1)


def judged(person: HeadModel, key: str, noise: float) -> expectation_figures.Judged:
    """A row whose heads miss by so much."""
    rng = random_stream(3)
    requested = normalise(rng.normal(size=(60, 512))).astype(np.float32)
    achieved = normalise(requested + noise * rng.normal(size=(60, 512)) / 512**0.5)
    usable = np.arange(60) != 5
    row = rows_of(person.table)[key]
    return expectation_figures.Judged(
        row, 600, requested, achieved, achieved, usable, requested[:20]
    )


@pytest.mark.parametrize(
    ("last", "said"),
    [(0.4, "It does: the median"), (2.0, "It does not"), (1.0, "It cannot be told")],
)
def test_the_answer_follows_from_the_rows(person: HeadModel, last: float, said: str) -> None:
    noise = dict.fromkeys(KEYS, 1.0) | {"beard": last, "expression": last}
    rows = [judged(person, key, noise[key]) for key in KEYS]
    yardstick = expectation_figures.Yardstick(
        moments(rows[0].requested), AttributeProbes.load(), 0.51
    )
    report = expectation_figures.report_of(rows, yardstick)
    assert answer(report).startswith(f"**{said}")
    if last < 1:
        assert "most of it with facial hair" in answer(report)
    first = report["rows"][0]
    assert first["heads"] == 59
    assert first["median"]["low"] < first["median"]["value"] < first["median"]["high"]
    assert first["apart"]["value"] == 59
    assert report["people"]["frechet"]["value"] == pytest.approx(0, abs=1e-6)
    whole = page({"model": "person", "samples": 8, "budget": {"pairs": 1, "people": 2}, **report})
    assert whole.count("\n| ") == 2 * (1 + len(KEYS)) + 1


def test_a_change_is_that_of_people_whom_both_rows_show(person: HeadModel) -> None:
    before, after = judged(person, "shape", 1.0), judged(person, "colours", 1.0)
    nowhere = replace(after, achieved=-after.achieved, usable=np.arange(60) == 7)
    alone = before.distances[7]
    found = expectation_figures.change(before, nowhere)
    assert found["value"] == pytest.approx(nowhere.distances[7] - alone)


@pytest.mark.torch
def test_the_quick_form_learns_and_a_complete_head_comes_nearer(
    tmp_path: Path, forward: SyntheticForward, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="torch is in the training environment only")
    torch.set_num_threads(1)

    def fit(python: Path, source: Path, target: Path, epochs: int) -> None:
        files = [str(source), str(target)]
        assert fit_pairs.main([*files, "--epochs", "60", "--width", "64"]) == 0

    monkeypatch.setattr(expectation, "fit", fit)
    command = arguments(tmp_path, "--rows", "shape", "expression", "--pairs", "150")
    assert expectation.main(command, forward) == 0
    report = json.loads((tmp_path / "expectation.json").read_text())
    assert report["change"]["high"] < 0
    assert report["rows"][0]["median"]["value"] > report["rows"][1]["median"]["value"]
    assert "miss" in read_npz(tmp_path / "shape_surrogates_3.npz")
