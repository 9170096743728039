# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a data set, and who is drawn where a run goes on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from batch.dataset import generate
from batch.dataset.card import _census
from batch.dataset.identities import own_attributes
from batch.dataset.recipe import Recipe
from batch.dataset.recipe_tables import People
from batch.dataset.run_folder import RunFolder
from batch.run import main
from facegen_addon.encoders import second_opinion
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.census import census_of
from facegen_addon.latent.who import Who
from tests.dataset.synthetic_run import SyntheticRun


def run_of(model: str, names: list[str]) -> Any:
    rows = [{"name": name} for name in names]
    return SimpleNamespace(request={"model": model}, run={"parameters": rows})


def test_heads_say_who_they_are_where_their_model_does() -> None:
    person = load_head_model("person")
    names, heads = list(person.table.names), person.sample_prior(np.random.default_rng(0), 3)
    found = own_attributes(run_of("person", names))
    assert found is not None and np.array_equal(found(heads), person.attributes(heads))
    assert own_attributes(run_of("person", names[1:])) is None, "of another version"
    assert own_attributes(run_of("user:flame", names)) is None
    open_flame = load_head_model("open_flame")
    says = own_attributes(run_of("open_flame", list(open_flame.table.names)))
    assert says is not None and says(heads) is None


def test_a_card_says_who_is_in_it_and_how_near_others_are() -> None:
    latents = Who().faces().sample(np.random.default_rng(0), 200)
    text = _census(census_of(None, latents, latents))
    joint, groups = (text.split("|---")[0], text.rsplit("| |", 1)[-1])
    assert "18 to 30 years" in joint
    assert "times the best's" in text and "darker older women" in groups
    assert "–" in _census(census_of(None, latents, None))


def test_the_command_prints_it_and_a_second_opinion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(SyntheticRun().write(tmp_path / "run").path)
    assert main(["dataset", "census", folder]) == 2
    assert "close the run by `dataset merge`" in capsys.readouterr().err
    assert main(["dataset", "merge", folder]) == 0
    monkeypatch.setattr(second_opinion, "is_there", lambda: False)
    assert main(["dataset", "census", folder]) == 0
    said = capsys.readouterr().out
    assert "| woman, dark skin |" in said and "| fairer older men |" in said
    assert "No second opinion" in said

    def read(images: Any) -> np.ndarray:
        rows = [[1.0, 0.95, 70.0, 40.0] for image in images if image]
        return np.array([*rows[1:], [np.nan] * 4])

    monkeypatch.setattr(second_opinion, "is_there", lambda: True)
    monkeypatch.setattr(second_opinion, "read_files", read)
    assert main(["dataset", "census", folder]) == 0
    said = capsys.readouterr().out
    assert "finds 3 faces in 4 images and reads 3 as women, at least 90 % sure of 3" in said
    assert "| woman, dark skin | 0 | 0 | 0 | 3 |" in said


@pytest.mark.parametrize(
    ("recorded", "replace", "draws"),
    [
        (People("as-found"), False, "as-found"),
        (People("as-found"), True, "balanced"),
        (People("balanced"), False, "balanced"),
        (None, False, "balanced"),
    ],
)
def test_a_run_goes_on_with_whom_it_began(
    tmp_path: Path, recorded: People | None, replace: bool, draws: str
) -> None:
    """A recipe that says nothing of a population is read as the run in the folder has it."""
    if recorded is not None:
        request = {"recipe": Recipe(people=recorded).as_mapping(), "count": 1}
        RunFolder.begin(tmp_path / "run", request, [], "", replace=False)
    options: Any = SimpleNamespace(output=tmp_path / "run", replace=replace)
    recipe = Recipe.read("minimal", generate._population_unsaid(options))
    assert recipe.people == People(draws)
    said = tmp_path / "mine.toml"
    said.write_text("[people]\npopulation = 'balanced'")
    assert Recipe.read(str(said), generate._population_unsaid(options)).people == People()
