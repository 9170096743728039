# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run's request notes of programs and files, and who may go on with it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.dataset import bytes_format, versions
from batch.dataset.bytes_format import BYTES_FORMAT, FORMAT_KEY
from batch.dataset.plan import Plan
from batch.dataset.recipe import Recipe
from batch.dataset.run_folder import RunFolder
from batch.run import main
from facegen_addon.artifacts import load_npz
from facegen_addon.choices import WORLD_PRESETS
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import forget_models, load_head_model
from tests.dataset.synthetic_run import SyntheticRun
from tests.heads.flame.test_hidden_state import LANDMARKS, flame_file, put_landmarks


def of(recipe: str, model: str) -> dict[str, Any]:
    return versions.versions(Recipe.read(recipe), load_head_model(model))


def of_the_prior() -> Recipe:
    """A recipe whose heads need no B, as a FLAME file has none before it is trained."""
    return Recipe.from_mapping({"heads": {"distribution": "prior"}})


def begin(path: Path, noted: dict[str, Any], **changes: Any) -> RunFolder:
    request = {"count": 7, "shard_size": 3, "versions": noted, **changes}
    return RunFolder.begin(path, request, [], "", replace=False)


@pytest.mark.parametrize("model", ["open_flame", "anny"])
def test_every_program_and_artifact_is_noted(model: str) -> None:
    noted = of("portraits", model)
    assert noted[FORMAT_KEY] == BYTES_FORMAT
    assert noted["NumPy"] == np.__version__
    wanted = {"FaceGen", "Blender", "ONNX Runtime", "zlib", "table of the model", "encoder"}
    wanted |= {
        "anny_head",
        "face_box",
        "attributes",
        "natural_faces",
        f"surrogate_{model}",
        f"backward_{model}",
    }
    assert noted.keys() >= wanted
    unguided = versions.versions(of_the_prior(), load_head_model(model))
    assert unguided.keys() == noted.keys() - {
        "attributes", "natural_faces",
        f"surrogate_{model}", f"backward_{model}", f"corrections_{model}",
    }  # fmt: skip


def test_blenders_hdris_are_noted_where_a_recipe_lights_by_them() -> None:
    pytest.importorskip("bpy")
    lights = {key: sha for key, sha in of("photos", "anny").items() if key.startswith("light ")}
    assert lights.keys() == {f"light {name}" for name in WORLD_PRESETS}
    assert len({*lights.values()}) == len(WORLD_PRESETS)
    assert not any(key.startswith("light ") for key in of("portraits", "anny"))


def test_a_run_notes_all_that_its_processes_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """No artifact takes part whose hash the request does not have."""
    from facegen_addon import artifacts

    read: set[str] = set()
    original = artifacts.Artifact.read

    def spy(self: artifacts.Artifact) -> bytes:
        read.add(self.sha256)
        return original(self)

    monkeypatch.setattr(artifacts.Artifact, "read", spy)
    from facegen_addon.encoders import face_crop
    from facegen_addon.encoders.encoder import Encoder
    from facegen_addon.heads.flame.open_head import open_flame

    for cached in (open_flame, face_crop._box_coefficients):
        cached.cache_clear()
    forget_models()
    recipe = Recipe.read("minimal")
    recipe = replace(recipe, heads=replace(recipe.heads, distribution="latent"))
    model = load_head_model("open_flame")
    Plan(recipe, model, 0).shot(0, 0)
    encoder = Encoder.load(recipe.heads.encoder, threads=1)
    encoder.cut(np.zeros((64, 64, 3), np.uint8), face_crop.ALIGNED_POINTS * 0.4 + 8)
    noted = json.dumps(versions.versions(recipe, model))
    assert len(read) >= 5 and all(sha256 in noted for sha256 in read)


def test_another_facegen_that_makes_the_same_bytes_goes_on(tmp_path: Path) -> None:
    """The samples that it adds have the notes of the one that began: the same bytes."""
    noted = of("minimal", "open_flame")
    first = begin(tmp_path / "run", noted)
    again = begin(tmp_path / "run", noted | {"FaceGen": "99.0"})
    assert again == first and again.request["versions"]["FaceGen"] == noted["FaceGen"]


def test_a_changed_source_changes_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda p: (opened.append(p.suffix), read(p))[1])
    of("minimal", "open_flame")
    assert ".py" not in opened


def test_a_run_of_other_bytes_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "run", of("minimal", "open_flame"))
    monkeypatch.setattr(bytes_format, "BYTES_FORMAT", BYTES_FORMAT + 1)
    monkeypatch.setattr(versions, "BYTES_FORMAT", BYTES_FORMAT + 1)
    change = f"FaceGen .* other bytes: format {BYTES_FORMAT} -> {BYTES_FORMAT + 1}"
    with pytest.raises(UserError, match=change) as caught:
        begin(tmp_path / "run", of("minimal", "open_flame"))
    assert "\n" not in str(caught.value) and "--replace" in str(caught.value)


@pytest.mark.parametrize("name", ["NumPy", "Blender", "ONNX Runtime", "zlib", "face_box"])
def test_other_programs_and_artifacts_are_named(tmp_path: Path, name: str) -> None:
    noted = of("minimal", "open_flame")
    begin(tmp_path / "run", noted)
    with pytest.raises(UserError, match=rf"holds another run \(versions.{name} .* -> \"other\""):
        begin(tmp_path / "run", noted | {name: "other"})


def test_an_encoder_on_another_device_is_another_run(tmp_path: Path) -> None:
    recipe, model = of_the_prior(), load_head_model("anny")
    begin(tmp_path / "run", versions.versions(recipe, model))
    with pytest.raises(UserError, match=r'versions.encoder.device null -> "cuda"'):
        begin(tmp_path / "run", versions.versions(recipe, model, "cuda"))


# Runs of before, which noted a hash of the sources ------------------------------------------------


def former(noted: dict[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in noted.items() if n != FORMAT_KEY} | {"code": "ab" * 32}


def test_a_run_of_before_is_not_gone_on_with(tmp_path: Path) -> None:
    noted = of("minimal", "open_flame")
    begin(tmp_path / "run", former(noted))
    with pytest.raises(UserError, match=r"before the format of the bytes was noted.*began it"):
        begin(tmp_path / "run", noted)


def test_a_run_of_before_still_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kind = SyntheticRun()
    noted = former(kind.begin(tmp_path / "any").request["versions"])
    run = kind.begin(tmp_path / "run", versions=noted)
    for shard in range(run.shard_count):
        kind.write_shard(run, shard, {i: kind.members(run, i) for i in run.indices(shard)})
    assert main(["dataset", "merge", str(run.path)]) == 0
    assert main(["dataset", "verify", str(run.path), "--seeds", "0"]) == 0


# FLAME files -------------------------------------------------------------------------------------


def test_landmarks_beside_a_flame_file_are_another_run(tmp_path: Path) -> None:
    """The one that began without them is refused with them, by name."""
    path, recipe = flame_file(tmp_path / "a"), of_the_prior()
    begin(tmp_path / "run", versions.versions(recipe, load_head_model(str(path))))
    put_landmarks(tmp_path / "a")
    with pytest.raises(UserError, match=rf'versions.{LANDMARKS} "fitted" -> "[0-9a-f]'):
        begin(tmp_path / "run", versions.versions(recipe, load_head_model(str(path))))


def test_samples_are_drawn_again_from_the_same_head_only(tmp_path: Path) -> None:
    """`verify` by the name of a file, which says nothing of landmarks, or by another folder."""
    path = flame_file(tmp_path / "a")
    put_landmarks(tmp_path / "a")
    recipe = of_the_prior()
    head = load_head_model(str(path))
    request = {"model": head.name, "recipe": recipe.as_mapping(), "seed": 0}
    begin(tmp_path / "run", versions.versions(recipe, head), **request)
    assert Plan.open(tmp_path / "run", str(path)).shot(0, 0).parameters.any()
    with pytest.raises(
        UserError, match=rf"made with {LANDMARKS} \w+, here it is fitted: .*--model"
    ):
        Plan.open(tmp_path / "run")


def test_a_run_of_before_is_drawn_again_as_ever(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", **load_npz("open_flame"))  # type: ignore[arg-type]
    recipe = of_the_prior()
    head = load_head_model(str(tmp_path / "f.npz"))
    request = {"model": head.name, "recipe": recipe.as_mapping(), "seed": 0}
    begin(tmp_path / "run", {"FaceGen": "0.1.0", "code": "ab"}, **request)
    assert Plan.open(tmp_path / "run").shot(0, 0).parameters.any()


# The environment ---------------------------------------------------------------------------------


def test_the_users_environment_chooses_neither_threads_nor_colours(project: Path) -> None:
    """Sums end in other bits with more threads; a studio's OpenColorIO has other colours."""
    script = (
        "import os; import batch.run;"
        "print(os.environ['OPENBLAS_NUM_THREADS'], [n for n in os.environ if 'OCIO' in n])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "7", "OCIO": "x", "OCIO_ACTIVE_VIEWS": "y"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "1 []"
