# SPDX-License-Identifier: GPL-3.0-or-later
"""Training distributions on a synthetic forward mapping: sets, figures, resuming, refusals."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegen_addon.latent.sphere import normalise
from facegen_addon.random_streams import random_stream
from models.training import (
    distributions,
    distributions_experiment,
    distributions_figures,
    distributions_people,
    pairs,
    real_latents,
    render_pairs,
)
from models.training.distributions_experiment import RANDOM
from models.training.distributions_figures import compared, data_cost, medians, size_reaching
from models.training.distributions_learning import (
    DISTRIBUTIONS,
    GUIDED,
    PRIOR,
    WIDE,
    are_wide,
    least_of,
)
from models.training.distributions_networks import aligned_distance
from models.training.distributions_people import Likeness, People, ranks
from models.training.distributions_readings import (
    Readings,
    attribute_row,
    correlation_rows,
    kind_row,
    misread,
    place_row,
)
from models.training.pairs import Pairs
from tests.training.data_set import write_data_set
from tests.training.synthetic import SyntheticForward, SyntheticHead

Forward = Callable[[np.ndarray], np.ndarray]
MODEL = ["--model", "synthetic"]
PEOPLE = 10


def both(forward: Forward) -> Forward:
    """As two encoders side by side, the second a mirror of the first one's beginning."""

    def see(parameters: np.ndarray) -> np.ndarray:
        latents = forward(parameters)
        return np.hstack([latents, normalise(latents[:, :64])]).astype(np.float32)

    return see


@pytest.fixture
def place(
    models: Path, head: SyntheticHead, forward: SyntheticForward, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """A table of pairs, people who look like heads near the mean one; the command line."""
    rng = random_stream(3)
    table = head.table
    assert render_pairs.main(["initial", *MODEL, "--count", "180"], forward) == 0
    guided = rng.normal(0, 0.5, (160, len(table.guided)))
    pairs.save_npz(pairs.proposal_path("synthetic", 1), z=pairs.quantised(guided))
    assert render_pairs.main(["round", "1", *MODEL], forward) == 0
    assert render_pairs.main(["pack", *MODEL]) == 0
    z = rng.normal(0, 0.5, (PEOPLE, len(table.guided)))
    seen = forward(table.from_standardised(z))

    def noisy(of: np.ndarray) -> np.ndarray:
        return normalise(of + rng.normal(0, 0.005, of.shape)).astype(np.float32)

    read = np.column_stack([np.arange(PEOPLE) % 2, np.linspace(20, 65, PEOPLE), np.ones(PEOPLE)])
    people = People(noisy(seen), noisy(seen[:, :64]), noisy(seen), np.arange(PEOPLE) < 6, read)
    monkeypatch.setattr(distributions_experiment, "read_people", lambda *_: people)
    monkeypatch.setattr(distributions_experiment, "refined", lambda *_: z)
    readings = Readings(people.latents, read)
    monkeypatch.setattr(distributions_experiment, "read_held_out", lambda _: readings)
    # Intervals are nobody's concern here.
    monkeypatch.setattr(distributions_figures, "DRAWS", 20)
    monkeypatch.setattr(distributions, "same_face_threshold", lambda: 0.51)
    monkeypatch.setattr(real_latents, "fit_latents", lambda: seen)
    work = ["--work", str(models / "work")]
    return ["--quick", *MODEL, *work, "--rounds", "1", "--per-round", "160"]


def test_what_is_learned_from_the_people_like_whom_one_is_judged_comes_nearest(
    place: list[str], models: Path, forward: SyntheticForward, capsys: pytest.CaptureFixture
) -> None:
    assert distributions.main(place, both(forward)) == 0
    report = json.loads((models / "work/distributions.json").read_text())
    errors = {(row["trained"], row["size"], row["judged"]): row for row in report["errors"]}
    assert len(errors) == 3 * 3 * 3
    for row in errors.values():
        assert row["low"] <= row["value"] <= row["high"]
    for other in (PRIOR, WIDE):
        assert errors[GUIDED, 120, GUIDED]["value"] < errors[other, 120, GUIDED]["value"]
    assert errors[GUIDED, 120, GUIDED]["value"] < errors[GUIDED, 30, GUIDED]["value"]
    photos = {(row["title"], row["size"]): row for row in report["photos"]}
    near = photos["B, refined", None]["facenet"]["value"]
    assert near < photos[GUIDED, 120]["facenet"]["value"]
    assert photos[GUIDED, 120]["facenet"]["value"] < photos["mean head", None]["facenet"]["value"]
    assert photos["B, refined", None]["first"]["value"] == 1
    assert report["ceiling"]["first"]["value"] == 1
    assert {row["of"] for row in report["costs"]} == set(DISTRIBUTIONS)
    cost = {(row["measure"], row["of"], row["reaches"]): row for row in report["costs"]}
    assert cost["error", GUIDED, WIDE]["value"] < 120
    assert report["held_out_people"] == 6
    kinds = {(row["title"], row["kind"]): row["count"] for row in report["kinds"]}
    assert kinds[GUIDED, "women"] == 5 and kinds["B, refined", "40 and older"] == 6
    said = capsys.readouterr()
    assert "| trained on | heads |" in said.out
    assert f"first of {PEOPLE} by another photo" in said.out
    assert "ETA" in said.err


def test_a_stopped_run_goes_on_and_a_whole_one_renders_nothing(
    place: list[str], models: Path, forward: SyntheticForward, capsys: pytest.CaptureFixture
) -> None:
    rendered: list[int] = []

    def dying(limit: int) -> Forward:
        def see(parameters: np.ndarray) -> np.ndarray:
            if len(rendered) == limit:
                raise KeyboardInterrupt
            rendered.append(1)
            return both(forward)(parameters)

        return see

    assert distributions.main(place, dying(127)) == 130
    assert "the same command goes on" in capsys.readouterr().err
    rendered.clear()
    assert distributions.main(place, dying(9999)) == 0
    there = len(rendered)
    first = (models / "work/distributions.json").read_bytes()
    rendered.clear()
    assert distributions.main(place, dying(0)) == 0
    assert (models / "work/distributions.json").read_bytes() == first
    assert there > 100
    assert distributions.main([*place, "--rows", "3"], dying(0)) == 0
    few = json.loads((models / "work/distributions.json").read_text())
    assert [row["title"] for row in few["photos"]] == ["mean head", *DISTRIBUTIONS]
    assert distributions.main([*place, "--samples", "4"], both(forward)) == 2
    assert "another budget" in capsys.readouterr().err


def test_images_of_data_sets_teach_networks_that_are_judged_beside_one_another(
    place: list[str], models: Path, head: SyntheticHead, forward: SyntheticForward
) -> None:
    rng, size = random_stream(8), len(head.table.guided)
    arguments = [*place, "--rows", "6"]
    for name, spread in (("near", 0.5), ("wide", 1.5)):
        parameters = head.table.from_standardised(rng.normal(0, spread, (150, size)))
        write_data_set(models / name, head.table, parameters, forward(parameters))
        arguments += ["--data-set", f"{name}={models / name}"]
    assert distributions.main(arguments, both(forward)) == 0
    report = json.loads((models / "work/distributions.json").read_text())
    images = report["images"]
    near, wide = "images of near", "images of wide"
    assert images["unit"] == "images" and images["most"] == 120
    assert images["sets"] == {near: 132, wide: 132}
    errors = {(r["trained"], r["size"], r["judged"]): r["value"] for r in images["errors"]}
    assert errors[near, 120, near] < errors[wide, 120, near]
    assert errors[near, 120, near] < errors[near, 60, near]
    off = {(row["trained"], row["judged"]): row["value"] for row in images["vertices"]}
    assert 0 < off[near, near] < off[wide, near] < 1e3
    assert off[near, near] < images["vertices_of_mean"][near]
    assert [row["title"] for row in report["photos"]][4:] == [near, wide, RANDOM]
    gaps = [row for row in report["differences"] if row["one"] == near]
    assert {row["other"] for row in gaps} == {wide}
    cost = {(row["measure"], row["of"], row["reaches"]): row for row in images["costs"]}
    assert cost["error", near, wide]["value"] < 120
    assert cost["error", wide, wide]["value"] <= 121
    assert cost["error", near, "prescribed"]["value"] < 120
    page = (models / "work/distributions.md").read_text()
    assert "## Held-out images of data sets" in page and "| their mean alone | images of" in page


def test_a_data_set_that_is_none_is_refused_in_a_line(
    place: list[str], models: Path, capsys: pytest.CaptureFixture
) -> None:
    for text, words in ((f"{models}", "not NAME=FOLDER"), (f"a={models}", "holds no shards")):
        with pytest.raises(SystemExit) as left:
            distributions.main([*place, "--data-set", text])
        assert left.value.code == 2
        assert words in capsys.readouterr().err


def test_a_table_of_other_rounds_is_refused(
    place: list[str], forward: SyntheticForward, capsys: pytest.CaptureFixture
) -> None:
    assert distributions.main([*place, "--per-round", "500"], both(forward)) == 2
    error = capsys.readouterr().err
    assert "160 guided heads, not 500" in error


def test_wide_heads_are_told_apart_where_some_are_missing(head: SyntheticHead) -> None:
    z = render_pairs.initial_heads(head, 40, seed=0)
    kept = np.delete(np.arange(40), [3, 4, 17])
    np.testing.assert_array_equal(are_wide(head.table, z[kept]), kept % 2 == 1)


def test_ranks_count_those_who_are_nearer(rng: np.random.Generator) -> None:
    gallery = normalise(rng.normal(size=(5, 16)))
    np.testing.assert_array_equal(ranks(gallery, gallery), np.ones(5))
    assert ranks(np.roll(gallery, 1, axis=0), gallery).min() > 1


def test_a_head_without_a_face_is_nobodys_and_the_rest_is_compared() -> None:
    people = People(np.eye(4, 8), np.eye(4, 6), np.eye(4, 8), np.ones(4, bool), np.ones((4, 3)))
    usable = np.array([True, True, False, True])
    one = Likeness.of(people, people.latents, people.sface, usable)
    other = Likeness.of(people, np.roll(people.latents, 1, axis=0), people.sface, usable)
    assert np.isnan(one.facenet[2]).all()
    found = compared(Likeness.joined([one, one]), other)
    assert found["facenet"]["value"] == -1
    assert found["facenet_nearer"] == {"value": 1, "low": 1, "high": 1}


def test_the_size_that_reaches_an_error() -> None:
    sizes, errors = [100, 400], np.array([0.4, 0.2])
    assert size_reaching(sizes, errors, 0.3) == pytest.approx(200)
    assert size_reaching(sizes, errors, 0.5) < 100
    assert size_reaching(sizes, errors, 0.1) > 400
    rng = random_stream(1)
    curve = {size: rng.normal(value, 0.01, 50) for size, value in zip(sizes, errors, strict=True)}
    cost = data_cost(curve, rng.normal(0.3, 0.01, 50), medians)
    assert 150 < cost["low"] < cost["value"] < cost["high"] < 270


def test_people_whom_the_set_was_made_for_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    real = normalise(random_stream(2).normal(size=(30, 512))).astype(np.float32)
    monkeypatch.setattr(real_latents, "fit_latents", lambda: real)
    asked = distributions_people.asked_for(2, 20)
    assert len(asked) == 40
    by_itself = (real @ asked.T).max(axis=1) > distributions_people._SAME
    assert 10 <= by_itself.sum() <= 20


def test_heads_that_lie_elsewhere_and_turned_are_no_vertices_off() -> None:
    one = random_stream(3).normal(0, 0.1, (50, 3))
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert aligned_distance(one, one @ turn.T + (1.0, 2.0, 3.0)) == pytest.approx(0, abs=1e-9)
    assert aligned_distance(one, one * (-1.0, 1.0, 1.0)) > 0.01  # a mirror image is another head
    assert aligned_distance(one, 1.1 * one) == pytest.approx(
        0.1 * np.linalg.norm(one - one.mean(axis=0), axis=1).mean()
    )


def test_a_subset_is_part_of_a_larger_one() -> None:
    data = Pairs(np.arange(50.0)[:, None], np.eye(50))
    small, large = (distributions_experiment.subset(data, n, seed=1) for n in (10, 30))
    assert set(small.z[:, 0]) < set(large.z[:, 0])


def test_correlations_are_likened_whatever_their_strength(head: SyntheticHead) -> None:
    rng = random_stream(4)
    size = len(head.table.guided)
    mixing = rng.normal(size=(size, size)) + 2 * np.eye(size)
    people = rng.normal(size=(400, size)) @ mixing
    weaker = rng.normal(size=(400, size)) @ mixing + rng.normal(0, 4, (400, size))
    rows = correlation_rows({"alike": weaker, "strangers": weaker[:, ::-1]}, people, head)
    alike, strangers = (row["people"]["value"] for row in rows)
    assert alike > 0.7 and abs(strangers) < 0.3
    assert rows[0]["people"]["low"] < alike < rows[0]["people"]["high"]
    assert all(abs(row["prior"]["value"]) < 0.3 for row in rows)


def test_attributes_agree_where_heads_are_of_the_photos_kind() -> None:
    photos = np.column_stack([np.tile([0.1, 0.9], 20), np.linspace(18, 70, 40), np.full(40, 60.0)])
    photos[:, 2] += np.linspace(0, 9, 40)
    heads = np.column_stack([photos[:, 0], photos[::-1, 1], photos[:, 2] ** 2])
    found = {name: row["value"] for name, row in attribute_row(heads, photos).items()}
    assert found["sex"] == 1.0
    assert found["age"] == pytest.approx(-1.0)
    assert found["lightness"] == pytest.approx(1.0)
    assert kind_row(heads, photos)["age, women"]["value"] == pytest.approx(-1.0)


def test_heads_that_read_as_another_sex_or_age_are_misread() -> None:
    own = np.array([[1.0, 30.0, 60.0], [0.0, 30.0, 60.0], [0.0, 60.0, 60.0]])
    read = np.array([[1.0, 30.0, 20.0], [1.0, 30.0, 60.0], [0.0, 30.0, 60.0]])
    np.testing.assert_allclose(misread(own, read), [0.0, 1.0, 1.0])
    data = Pairs(np.arange(3.0)[:, None], np.eye(3))
    np.testing.assert_array_equal(least_of(data, misread(own, read), 1).z, [[0.0]])


def test_heads_among_the_photos_are_near_and_not_told_apart() -> None:
    rng = random_stream(5)
    photos, near = (normalise(rng.normal(0.3, 1, (80, 32))) for _ in range(2))
    far = normalise(rng.normal(-0.3, 1, (80, 32)))
    rows = [{n: f["value"] for n, f in place_row(x, photos).items()} for x in (near, far)]
    assert rows[0]["auc"] < 0.7 and rows[1]["auc"] > 0.9
    assert all(row["span"] == pytest.approx(1.0) for row in rows)  # 32 axes are all that there are
    assert rows[0]["nearest"] < rows[1]["nearest"] and rows[0]["middle"] < rows[1]["middle"]
