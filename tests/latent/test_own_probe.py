# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe of a user's own: its file, and people asked for by it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegen_addon.encoders.encoder import DEFAULT_ENCODER
from facegen_addon.errors import UserError
from facegen_addon.latent import own_probe
from facegen_addon.latent.attributes import AttributeProbes
from facegen_addon.latent.own_probe import OwnProbe, split_probe
from facegen_addon.latent.people import eight_groups_of
from facegen_addon.latent.who import Who

DIRECTION = 10 * np.random.default_rng(0).standard_normal(512)
GOOD: dict[str, Any] = {
    "name": "smiling", "encoder": "facenet", "direction": DIRECTION, "offset": 0.5,
    "range": [-30.0, 30.0], "unit": "points", "levels": ["little", "much"],
    "level_bounds": [-30.0, 0.5, 30.0],
}  # fmt: skip
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(**changes: Any) -> Path:
        values = {name: value for name, value in (GOOD | changes).items() if value is not None}
        np.savez(tmp_path / "smiling.npz", **values)
        return tmp_path / "smiling.npz"

    return write


def test_natural_faces_are_of_the_default_encoder() -> None:
    assert own_probe.ENCODER == DEFAULT_ENCODER


def test_a_probe_is_read(save: Save) -> None:
    probe = OwnProbe.load(save())
    assert (probe.name, probe.unit, probe.offset, probe.seen) == (
        "smiling", "points", 0.5, (-30.0, 30.0)
    )  # fmt: skip
    assert probe.range_of("much") == (0.5, 30.0)
    assert probe.range_of("-1:2.5") == (-1.0, 2.5)
    bare = OwnProbe.load(save(unit=None, levels=None, level_bounds=None))
    assert bare.unit == "" and not bare.levels


@pytest.mark.parametrize(("asked", "low", "high"), [("much", 0.5, 30.0), ("-2:-1", -2.0, -1.0)])
def test_people_are_asked_for_by_it(save: Save, asked: str, low: float, high: float) -> None:
    who = Who(sex="woman", probe=f"{save()}:{asked}")
    latents = who.faces().sample(np.random.default_rng(1), 200)
    read = latents.astype(np.float64) @ DIRECTION + 0.5
    assert ((low <= read) & (read < high)).all()
    attributes = AttributeProbes.load().read(latents)
    assert (attributes[:, 0] >= 0.5).all()
    assert len(np.unique(eight_groups_of(attributes))) == 4, "and balanced as ever"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"encoder": "sface"}, "reads latents of encoder 'sface', those of real faces are 'facenet'"),
    ({"encoder": None}, "it has no array encoder"),
    ({"name": 3}, "name is no text"),
    ({"direction": np.ones(128)}, r"direction is of shape \(128,\)"),
    ({"direction": np.zeros(512)}, "direction is zero"),
    ({"direction": np.full(512, np.nan)}, "'direction' holds NaN"),
    ({"direction": np.full(512, "x")}, "direction is of shape"),
    ({"offset": np.inf}, "'offset' holds NaN or infinite"),
    ({"range": [1.0, 1.0]}, "range 1 to 1 is empty"),
    ({"level_bounds": [0.0, 1.0]}, r"level_bounds is of shape \(2,\)"),
    ({"level_bounds": None}, "it has no array level_bounds"),
    ({"level_bounds": [0.0, 2.0, 1.0]}, "level_bounds do not rise"),
    ({"levels": ["much", "much"]}, "levels are no list of texts, each once"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG)
def test_files_that_are_no_probe(save: Save, changes: dict[str, Any], says: str) -> None:
    path = save(**changes)
    with pytest.raises(UserError, match=says) as error:
        Who(probe=f"{path}:much").drawn_from()
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("a lot", "'a lot' is no range of smiling; give little, much, or two numbers"),
        ("2:1", "is empty; give the lower number first"),
        ("0:99", "leaves -30 to 30 points, between which smiling was seen on real faces"),
        ("nan:1", "is no range of smiling"),
    ],
)
def test_readings_there_cannot_be(save: Save, asked: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Who(probe=f"{save()}:{asked}").drawn_from()


def test_words_are_split_where_the_file_ends() -> None:
    assert split_probe("C:\\mine\\a.npz:0:1") == (Path("C:\\mine\\a.npz"), "0:1")
    for word in ("a.npz", "a.npz:", "0:1", ".npz", "a.txt:0:1"):
        with pytest.raises(UserError, match=r"give FILE\.npz:LOW:HIGH or FILE\.npz:LEVEL"):
            split_probe(word)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"nowhere\.npz"):
        Who(probe="nowhere.npz:0:1").drawn_from()
