# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluation on a synthetic forward mapping: figures, baselines, resuming, the table."""

import json
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from models.training import evaluate_backward, real_latents, render_pairs
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.training.conftest import SyntheticNature
from tests.training.synthetic import SyntheticForward, SyntheticHead


@pytest.fixture
def evaluation(
    models: Path,
    head: SyntheticHead,
    forward: SyntheticForward,
    nature: SyntheticNature,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Everything that evaluation reads; returns its arguments."""
    assert render_pairs.main(["initial", "--model", "synthetic", "--count", "300"], forward) == 0
    ensemble = small_ensemble(len(head.table.guided))
    settings = InversionSettings.of(head.table)
    region = TrustRegion.of(head.table, settings, np.eye(ensemble.inputs))
    network = LinearNetwork(ensemble)
    mapping = BackwardMapping.assemble(head.table, ensemble, region, settings, network)  # type: ignore[arg-type]
    monkeypatch.setattr(BackwardMapping, "load", lambda name, table: mapping)
    monkeypatch.setattr(evaluate_backward.NaturalFaces, "load", lambda: nature)
    # Searching for the largest sets is most of the time; two distances show as much as fifteen.
    monkeypatch.setattr(evaluate_backward, "CURVE", np.array([0.3, 0.5]))
    requested = nature.sample(np.random.default_rng(4), 60)
    monkeypatch.setattr(real_latents, "held_out_latents", lambda count: requested[:count])
    return [
        "--model",
        "synthetic",
        "--count",
        "60",
        "--capacity",
        "50",
        "--report",
        str(models / "backward"),
    ]


def test_report_ranks_regressors_above_the_mean_head(
    evaluation: list[str], models: Path, forward: SyntheticForward
) -> None:
    assert evaluate_backward.main(evaluation, forward) == 0
    report = json.loads((models / "backward.json").read_text())
    medians = {name: row["roundtrip"]["median"] for name, row in report["methods"].items()}
    assert list(medians) == list(evaluate_backward.METHODS)
    assert medians["kernel ridge"] < 0.7 * medians["mean head"]
    assert medians["ridge"] < 0.7 * medians["mean head"]
    # These surrogates know nothing of the synthetic forward mapping: what they promise is false.
    promised = report["methods"]["refined"]["promised_median"]
    assert abs(promised - medians["refined"]) > 0.1
    counts = report["capacity"]["heads_apart_by_renders"]["50"]
    assert counts[0] == max(counts) <= 50
    text = (models / "backward.md").read_text()
    assert all(f"| {name} |" in text for name in evaluate_backward.METHODS)


def test_a_second_run_renders_nothing(
    evaluation: list[str], models: Path, forward: SyntheticForward
) -> None:
    assert evaluate_backward.main(evaluation, forward) == 0
    first = (models / "backward.json").read_bytes()

    def refuse(parameters: np.ndarray) -> np.ndarray:
        raise AssertionError("rendered again")

    assert evaluate_backward.main(evaluation, refuse) == 0
    assert (models / "backward.json").read_bytes() == first


def test_frechet_distance_of_heads_stands_beside_that_of_as_many_people(
    evaluation: list[str],
    models: Path,
    forward: SyntheticForward,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate_backward, "FRECHET_HEADS", 20)
    assert evaluate_backward.main([*evaluation, "--methods", "mean head"], forward) == 0
    natural = json.loads((models / "backward.json").read_text())["capacity"]["frechet"]
    assert 0 < natural["people"] < natural["heads"]
    assert f"of these people {natural['people']:.2f}" in (models / "backward.md").read_text()


def test_few_heads_have_no_frechet_distance() -> None:
    assert evaluate_backward.frechet(np.eye(512)[: evaluate_backward.FRECHET_HEADS - 1]) is None


def test_unknown_method_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        evaluate_backward.main(["--methods", "magic"])
    assert stop.value.code == 2
    assert "magic" in capsys.readouterr().err
