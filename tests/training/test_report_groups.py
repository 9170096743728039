# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on groups of people, without Blender and without a second opinion."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen_addon.errors import UserError
from facegen_addon.latent.people import EIGHT_GROUPS
from facegen_addon.latent.who import Who
from facegen_addon.png import decode_png, encode_png
from models.training import group_correlations, report_groups
from models.training.group_correlations import Agreement


@pytest.fixture
def read_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second opinion of which women are those whose picture is bright, all of them 66."""

    def read(python: Path, command: str, folder: Path, output: Path) -> None:
        pictures = sorted(folder.glob("*.png"))
        bright = [float(decode_png(path.read_bytes()).mean() > 100) for path in pictures]
        readings = [[female, 0.95, 66.0, 55.0] for female in bright]
        readings[-1] = [np.nan] * 4
        np.savez(output, readings=readings)

    monkeypatch.setattr(report_groups, "run_reader", read)


def test_the_table_and_the_sheets(
    tmp_path: Path, read_by_nobody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_groups, "propose_variety", lambda *_: None)
    latents: dict[str, Any] = {}

    def render(parameters: np.ndarray, path: Path) -> np.ndarray:
        kind = path.parent.name
        if kind not in latents:
            who = report_groups.ASKED if kind == "asked" else Who()
            latents[kind] = who.faces().sample(np.random.default_rng(0), 40)
        grey = 200 if kind == "asked" else 50
        path.write_bytes(encode_png(np.full((8, 8, 3), grey, np.uint8)))
        return latents[kind][int(path.stem)]

    options = report_groups.make_parser().parse_args(
        ["--model", "open_flame", "--count", "40", "--asked", "5", "--grade", "direct",
         "--output", str(tmp_path)]
    )  # fmt: skip
    rows = dict(report_groups.run(options, render))
    assert rows["heads read by the second opinion"] == "39 of 40"
    assert rows["read as women"].startswith("0.00")
    assert rows["asked for women of 60 to 75: read as women"].startswith("1.00")
    assert rows["and 90 % of ages read within"] == "66 to 66"
    assert float(rows["coverage of the worst of eight groups against the best's"]) > 1
    assert (
        sum(int(rows[f"{name}: asked for, coverage"].split(",")[0]) for name in EIGHT_GROUPS) == 40
    )
    assert float(rows["heads/s against plain drawing, default"]) > 0
    sheets = list((tmp_path / "open_flame").glob("*.png"))
    assert {path.stem.replace("_", " ") for path in sheets} <= set(EIGHT_GROUPS)
    assert len(sheets) >= 6


def test_a_sheet_has_every_image(tmp_path: Path) -> None:
    images = [np.full((4, 4, 3), number, np.uint8) for number in range(8)]
    whole = report_groups.sheet(images)
    assert whole.shape == (8, 24, 3)
    assert [whole[0, 4 * k, 0] for k in range(6)] == list(range(6))
    assert (whole[4, 4, 0], whole[4, 8, 0]) == (7, 255)


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report_groups.main(["--reader-python", str(tmp_path / "python")]) == 2
    assert "run `make groups`" in capsys.readouterr().err


def test_correlations_that_are_kept_differ_as_samples_do() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((6, 6))
    real, drawn = (rng.standard_normal((n, 6)) @ mixing for n in (300, 3000))
    kept = Agreement.of(real, drawn)
    assert kept.difference < 1.5 * kept.expected < 0.15
    lost = Agreement.of(real, rng.standard_normal((3000, 6)))
    assert lost.difference > 4 * lost.expected
    assert lost.strength == kept.strength


def test_the_table_of_correlations_leaves_few_people_out() -> None:
    who = Who("woman", "18:45", "60:80", "as-found")
    people = who.faces().sample(np.random.default_rng(0), 40)
    lines = group_correlations.rows(people, "open_flame")
    assert len(lines) == len(EIGHT_GROUPS)
    assert sum("fewer than 30" in line for line in lines) == 7
    (said,) = (line for line in lines if "fewer" not in line)
    assert said.startswith("| fairer younger women | 40 | ") and said.count("|") == 9


def test_without_real_people_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise UserError("there is no file")

    monkeypatch.setattr(group_correlations, "load_photos", missing)
    assert group_correlations.main([]) == 2
    assert "there is no file" in capsys.readouterr().err
