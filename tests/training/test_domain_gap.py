# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells renders from photos: changes of pictures, the classifier, and the whole report."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facegen_addon.labels.shot import Shot
from facegen_addon.latent.sphere import normalise
from facegen_addon.random_streams import random_stream
from models.training import distributions_figures, domain_gap, gap_pictures
from models.training.gap_figures import FOLDS, along_the_gap, share_closed, told_apart
from models.training.gap_page import page
from models.training.gap_pictures import Change, Picture
from models.training.gap_renders import ALL, PLAIN, Person
from tests.photo.heads_as_photos import MODEL, photo_of

PEOPLE = 2 * FOLDS


def picture(seed: int = 0, side: int = 96, level: float = 120.0) -> Picture:
    """A smooth picture with some noise, and landmarks of a face in its middle."""
    rng = random_stream(seed)
    shade = level + 40.0 * np.sin(np.linspace(0, 3, side))[:, None, None]
    image = np.clip(shade + rng.normal(0, 12, (side, side, 3)), 0, 255).astype(np.uint8)
    points = np.array([[0.38, 0.42], [0.62, 0.42], [0.5, 0.55], [0.4, 0.68], [0.6, 0.68]])
    return Picture(image, points * side)


def roughness(one: Picture) -> float:
    """Mean difference of neighbouring pixels."""
    return float(np.abs(np.diff(one.image.astype(float), axis=1)).mean())


def latents(rng: np.random.Generator, shift: float, people: np.ndarray) -> np.ndarray:
    """Of people, moved along the first axis."""
    moved = people + rng.normal(0, 0.3, people.shape)
    moved[:, 0] += shift
    return normalise(moved)


@pytest.mark.parametrize(
    "change",
    [gap_pictures.as_small, gap_pictures.blurred, gap_pictures.noisy, gap_pictures.compressed,
     gap_pictures.recoloured, gap_pictures.in_photos_colours],
)  # fmt: skip
def test_changes_are_the_same_for_the_same_stream_and_leave_the_picture(change: Change) -> None:
    one, photo = picture(), picture(1, 48, 90.0)
    before = one.image.copy()
    first, second = (change(one, photo, random_stream(5)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(one.image, before)
    assert first.image.dtype == np.uint8 and first.image.ndim == 3
    assert not np.array_equal(first.image, before)


def test_a_face_gets_as_small_as_the_photos_and_never_larger() -> None:
    one, small = picture(side=96), picture(1, side=48)
    rng = random_stream(0)
    found = gap_pictures.as_small(one, small, rng)
    assert gap_pictures.face_size(found) == pytest.approx(gap_pictures.face_size(small), rel=0.03)
    assert gap_pictures.as_small(small, one, rng).image.shape == small.image.shape


def test_files_make_rougher_or_smoother() -> None:
    one = picture()
    assert roughness(gap_pictures.blurred(one, one, random_stream(1))) < 0.8 * roughness(one)
    assert roughness(gap_pictures.noisy(one, one, random_stream(1))) > roughness(one)
    assert roughness(gap_pictures.coarse(one)) < 0.5 * roughness(one)


def test_colours_become_the_photos_own() -> None:
    one, photo = picture(level=150.0), picture(1, level=80.0)
    found = gap_pictures.in_photos_colours(one, photo, random_stream(0))
    inside = gap_pictures.oval(one)
    assert found.image[inside].mean() == pytest.approx(photo.image[inside].mean(), abs=1.5)
    grey = gap_pictures.in_grey(one).image
    assert np.ptp(grey, axis=2).max() == 0


def test_the_oval_is_all_that_stays() -> None:
    found = gap_pictures.oval_alone(picture())
    corners = found.image[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert len(np.unique(corners)) == 1
    middle = found.points.mean(axis=0).astype(int)
    assert gap_pictures.oval(found)[middle[1], middle[0]]


def test_what_differs_is_told_apart_and_what_does_not_is_not() -> None:
    rng = random_stream(1)
    people = rng.normal(size=(100, 40))
    photos = latents(rng, 4.0, people)
    same, other = latents(rng, 4.0, people), latents(rng, 0.0, people)
    assert told_apart(photos, other).figures["auc"]["value"] > 0.95
    assert told_apart(photos, same).figures["auc"]["value"] < 0.65
    moved = told_apart(photos, other, moved=True).figures["auc"]
    assert moved["value"] < 0.7


def test_the_share_that_is_closed() -> None:
    rng = random_stream(2)
    people = rng.normal(size=(100, 40))
    photos, plain, half = (latents(rng, shift, people) for shift in (2.0, 0.0, 1.0))
    closed = share_closed(along_the_gap(photos, plain, half))
    assert closed["low"] < 0.6 and 0.35 < closed["value"] < 0.65
    assert share_closed(along_the_gap(photos, plain, plain))["value"] == 0


def _people() -> list[Person]:
    heads = MODEL.sample_prior(random_stream(3), PEOPLE)
    return [
        Person(picture(n, 64, 90.0), n, n, photo_of(row).latent, photo_of(row).points)
        for n, row in enumerate(heads)
    ]


def _tools(rendered: list[int], limit: int) -> domain_gap.Tools:
    def render(shot: Shot) -> Picture:
        if len(rendered) == limit:
            raise KeyboardInterrupt
        rendered.append(1)
        brightness = 150.0 if shot.light.preset == "studio" else 110.0
        return picture(len(rendered) % 7, 96, brightness)

    def encoder(size: int) -> SimpleNamespace:
        def embed(crops: np.ndarray) -> np.ndarray:
            means = crops.reshape(len(crops), -1, 3)[:, :: 4608 // size].astype(float)
            return means.reshape(len(crops), -1)[:, :size] + 1.0

        def cut(image: np.ndarray, points: np.ndarray) -> np.ndarray:
            return gap_pictures.scaled(Picture(image, points), 48 / len(image)).image

        return SimpleNamespace(cut=cut, embed=embed)

    def heads(latents: np.ndarray) -> np.ndarray:
        return MODEL.sample_prior(random_stream(4), len(latents))

    return domain_gap.Tools(MODEL, heads, render, (encoder(64), encoder(32)))  # type: ignore[arg-type]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Makes the report by at most so many renders; which were made."""
    people = _people()
    rng = random_stream(6)
    photos = SimpleNamespace(
        latents=rng.normal(size=(2 * PEOPLE, 64)), identity=np.tile(np.arange(PEOPLE), 2)
    )
    monkeypatch.setattr(domain_gap, "load_photos", lambda: photos)
    monkeypatch.setattr(distributions_figures, "DRAWS", 20)  # intervals are nobody's concern

    def make(limit: int) -> list[int]:
        rendered: list[int] = []
        found = domain_gap.report_of(people, _tools(rendered, limit), tmp_path)
        (tmp_path / "report.json").write_text(json.dumps(found))
        return rendered

    return make


def test_a_stopped_run_goes_on_and_the_report_says_what_closes_how_much(
    report: Callable[[int], list[int]], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        report(23)
    assert len(report(9999)) == 5 * PEOPLE - 20
    assert report(0) == []
    found = json.loads((tmp_path / "report.json").read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert rows[PLAIN]["facenet"]["closed"]["value"] == 0
    assert rows[PLAIN]["facenet"]["auc"]["value"] > 0.95
    coloured = rows["the photo's own mean colour and contrast"]["facenet"]
    assert coloured["closed"]["value"] > 0.5
    assert coloured["nearer"]["value"] < 0
    assert "closed" not in rows["mean latent moved"]["facenet"]
    text = page(found)
    assert f"| {ALL} |" in text and "another photo of the same person" in text


def test_too_few_people_are_refused(capsys: pytest.CaptureFixture) -> None:
    assert domain_gap.main(["--people", "5"]) == 2
    assert "give 20 or more" in capsys.readouterr().err
