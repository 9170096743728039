# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on a synthetic forward mapping: every correction, the bound, resuming, the page."""

import json
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.errors import RejectedSample
from facegen_addon.latent.sphere import procrustes_rotation
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from facegen_addon.mapping.perceptron import Perceptron
from models.training import make_report, pairs, real_latents, render_pairs
from models.training.register import register
from models.training.report import roundtrips, study, trips
from models.training.talk_mapping import BASES, TALK_NETWORK
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.training.conftest import SyntheticNature
from tests.training.synthetic import SyntheticForward, SyntheticHead

FED = (
    "compensated, 1 render",
    "compensated, 2 renders",
    "compensated, 4 renders, few people",
    "compensated, 8 renders, few people",
)


def network(rng: np.random.Generator, outputs: int) -> Perceptron:
    sizes = (512, 8, outputs)
    return Perceptron(
        tuple(rng.normal(0, 0.01, (a, b)).astype(np.float32) for a, b in pairwise(sizes)),
        tuple(np.zeros(size, np.float32) for size in sizes[1:]),
    )


@pytest.fixture
def arguments(
    models: Path,
    head: SyntheticHead,
    forward: SyntheticForward,
    nature: SyntheticNature,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Everything that the first two chapters read; returns the report's arguments."""
    assert render_pairs.main(["initial", "--model", "synthetic", "--count", "150"], forward) == 0
    assert render_pairs.main(["pack", "--model", "synthetic"]) == 0
    ensemble = small_ensemble(len(head.table.guided))
    settings = InversionSettings.of(head.table)
    region = TrustRegion.of(head.table, settings, np.eye(ensemble.inputs))
    mapping = BackwardMapping.assemble(
        head.table,
        ensemble,
        region,
        settings,
        LinearNetwork(ensemble),  # type: ignore[arg-type]
    )
    monkeypatch.setattr(BackwardMapping, "load", lambda name, table: mapping)
    monkeypatch.setattr(study.NaturalFaces, "load", lambda: nature)
    wanted = nature.sample(np.random.default_rng(4), 60)
    monkeypatch.setattr(real_latents, "held_out_latents", lambda count: wanted[:count])
    monkeypatch.setattr(study.Study, "has_real_faces", True)
    monkeypatch.setattr(roundtrips, "same_face_threshold", lambda: 0.51)
    rng = np.random.default_rng(0)
    arrays = network(rng, len(head.table.guided)).arrays(TALK_NETWORK)
    for base in BASES:
        arrays[f"{base}/mean_rotation/ends"] = rng.normal(size=(2, 512))
        arrays[f"{base}/procrustes/rotation"] = procrustes_rotation(*rng.normal(size=(2, 9, 512)))
        arrays[f"{base}/plane/means"] = rng.normal(size=(2, 512))
        arrays[f"{base}/plane/axes"] = np.eye(512)[:5]
        arrays |= network(rng, 512).arrays(f"{base}/learned/")
    path = models / "corrections_synthetic.npz"
    pairs.save_npz(path, **arrays)
    register("corrections_synthetic", path, licence="none", source="test", recipe="test")
    output = str(models / "report")
    return ["--model", "synthetic", "--quick", "--output", output, "--chapters", "roundtrips"]


def rows_of(models: Path) -> dict[tuple[str, str], dict[str, float]]:
    report = json.loads((models / "report" / "synthetic" / "report.json").read_text())
    rows = report["chapters"]["roundtrips"]["rows"]
    return {(row["base"], row["correction"]): row for row in rows}


def test_every_base_has_every_correction(
    arguments: list[str], models: Path, forward: SyntheticForward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roundtrips, "PEOPLE", (60, 8))
    monkeypatch.setattr(roundtrips, "FEW", (20, 5))
    assert make_report.main(arguments, forward) == 0
    rows = rows_of(models)
    for base in BASES:
        free = ["none", "mean_rotation", "procrustes", "plane", "learned"]
        wanted = [*free, "as_written", *FED]
        assert {name for of, name in rows if of == base} >= set(wanted)
        none = rows[base, "none"]
        assert none["share_of_none"] == 1 and none["renders"] == 0
        for name in free:
            assert rows[base, name]["renders"] == 0
        assert rows[base, FED[2]]["renders"] == 4
        # Thinking counts every answer of B on the way.
        assert np.all(np.diff([rows[base, name]["thinking_ms"] for name in ("none", *FED)]) > 0)
        assert rows[base, "as_written"]["thinking_ms"] > none["thinking_ms"]
        # Frechet distances of fewer heads cannot be compared.
        assert none["frechet"] is not None and rows[base, FED[3]]["frechet"] is None
        # Choosing among renders that hold the first one can only help.
        assert rows[base, "compensated, nearest of 3"]["share_of_none"] <= 1
    # A kernel ridge knows the synthetic F: random turns of what it is asked for do harm.
    ridge = [rows["talk_kernel_ridge", name]["distance_mean"] for name in ("none", "procrustes")]
    assert ridge[0] < ridge[1]
    report = json.loads((models / "report" / "synthetic" / "report.json").read_text())
    chosen = report["chapters"]["roundtrips"]["judged"]
    assert [row["base"] for row in chosen] == list(BASES)
    assert all(row["count"] == 4 for row in chosen)  # of eight people
    assert chosen[0]["share_of_none"] == chosen[0]["share_of_talk"]


def test_figures_are_of_what_came_back(
    arguments: list[str], models: Path, forward: SyntheticForward
) -> None:
    """One latent for all heads is a failure, and visible as one."""
    same = np.zeros((1, 512), np.float32)
    same[0, 0] = 1

    def alike(parameters: np.ndarray) -> np.ndarray:
        return np.repeat(same, len(parameters), axis=0)

    assert make_report.main(arguments, alike) == 0
    for row in rows_of(models).values():
        assert row["pairwise"]["median"] == pytest.approx(0, abs=1e-6)  # type: ignore[index]
        assert row["apart"] == 1


def test_a_second_run_renders_nothing(
    arguments: list[str], models: Path, forward: SyntheticForward
) -> None:
    assert make_report.main(arguments, forward) == 0

    def refuse(parameters: np.ndarray) -> np.ndarray:
        raise AssertionError("rendered again")

    assert make_report.main(arguments, refuse) == 0


def test_the_bound_only_falls(
    arguments: list[str], models: Path, forward: SyntheticForward
) -> None:
    assert make_report.main([*arguments[:-1], "bounds"], forward) == 0
    report = json.loads((models / "report" / "synthetic" / "report.json").read_text())
    for line in report["chapters"]["bounds"]["nearest"]:
        assert np.all(np.diff(line) <= 0)
    page = (models / "report" / "synthetic" / "index.html").read_text()
    assert page.count("<table>") == 1 and "<svg" in page
    assert "| mean |" in (models / "report" / "synthetic" / "report.md").read_text()


def test_ctrl_c_says_how_to_go_on(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(parameters: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    assert make_report.main(arguments, interrupted) == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        "make_report: stopped; the same command goes on"
    )


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda models: (models / "corrections_synthetic.npz").unlink(), "is missing"),
        (lambda models: (models / "corrections_synthetic.npz").write_bytes(b"no"), "truncated"),
    ],
)
def test_damaged_corrections_are_one_line(
    arguments: list[str],
    models: Path,
    forward: SyntheticForward,
    capsys: pytest.CaptureFixture[str],
    broken: Callable[[Path], object],
    words: str,
) -> None:
    broken(models)
    assert make_report.main(arguments, forward) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "corrections_synthetic" in line and words in line


class PartlyBlind:
    """F that sees no face in some heads, always in the same ones."""

    def __init__(self, forward: SyntheticForward) -> None:
        self._forward = forward

    def __call__(self, parameters: np.ndarray) -> np.ndarray:
        if zlib.crc32(np.round(parameters[0], 3).tobytes()) % 5 == 0:
            raise RejectedSample("no face")
        return self._forward(parameters)


def test_heads_without_a_face_do_not_end_the_report(
    arguments: list[str], models: Path, forward: SyntheticForward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roundtrips, "PEOPLE", (60, 20))
    monkeypatch.setattr(roundtrips, "FEW", (20, 12))
    assert make_report.main(arguments, PartlyBlind(forward)) == 0
    counts = [row["count"] for row in rows_of(models).values()]
    assert 0 < min(counts) < 20


def trip(distances: list[float], correction: str) -> trips.Trip:
    """Heads at these distances from what was requested, all apart from one another."""
    s, count = np.eye(512)[0], len(distances)
    cosine = 1 - np.array(distances)[:, None]
    latents = cosine * s + np.sqrt(1 - cosine**2) * np.eye(512)[1 : 1 + count]
    rendered = study.Rendered(latents, np.ones(count, bool))
    requested = np.repeat(s[None], count, axis=0)
    return trips.Trip("direct", correction, requested, requested, latents, rendered, 0, 0.0)


def test_who_chooses_does_not_judge() -> None:
    none, lucky = trip([0.5, 0.5, 0.5, 0.5], "none"), trip([0.45, 0.6, 0.45, 0.6], "plane")
    assert trips.best_free([none, lucky]) is lucky
    figures = roundtrips.judged(lucky, none, none)
    assert figures["count"] == 2
    assert figures["share_of_none"] == pytest.approx(1.2)


def test_a_model_without_corrections_is_told_how_to_have_them(
    arguments: list[str],
    models: Path,
    forward: SyntheticForward,
    capsys: pytest.CaptureFixture[str],
) -> None:
    index = json.loads((models / "index.json").read_text())
    del index["corrections_synthetic"]
    (models / "index.json").write_text(json.dumps(index))
    assert make_report.main(arguments, forward) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "make corrections MODEL" in line and "--chapters" in line


def test_docs_are_of_whole_reports(
    arguments: list[str], forward: SyntheticForward, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_report.main([*arguments, "--docs"], forward) == 2
    assert "leave out --quick and --chapters" in capsys.readouterr().err


def test_what_stands_in_for_people_is_said(
    arguments: list[str], models: Path, forward: SyntheticForward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.Study, "has_real_faces", False)
    assert make_report.main([*arguments[:-1], "bounds"], forward) == 0
    folder = models / "report" / "synthetic"
    for name in ("index.html", "report.md"):
        assert "samples of their density stand in" in (folder / name).read_text()
    assert json.loads((folder / "report.json").read_text())["real_faces"] is False


def test_figures_that_are_none_are_null() -> None:
    data = {"a": (1, float("nan")), "b": [np.float32(0.5), np.inf], "c": {"d": np.int64(3)}}
    assert make_report.without_nan(data) == {"a": [1, None], "b": [0.5, None], "c": {"d": 3}}


def test_an_output_that_is_no_folder_is_one_line(
    arguments: list[str],
    models: Path,
    forward: SyntheticForward,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (models / "report").write_text("a file")
    assert make_report.main([*arguments[:-1], "bounds"], forward) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("make_report: ")
