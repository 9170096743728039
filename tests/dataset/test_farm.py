# SPDX-License-Identifier: GPL-3.0-or-later
"""The farm with render processes that need no Blender, so that much harm can be done quickly."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.dataset.batch_encoder import BatchEncoder
from batch.dataset.farm import Farm, render_pool
from batch.dataset.messages import SetUp
from batch.dataset.plan import Plan
from batch.dataset.recipe import Recipe
from batch.dataset.run_folder import RunFolder
from batch.dataset.shard_file import read_shard
from batch.dataset.shard_state import is_done, read_sidecar
from batch.dataset.status import EventLog, Status
from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.terminal.pool import Pool
from tests.dataset.synthetic_run import decode_npy

FAKE = (sys.executable, "-m", "tests.dataset.fake_worker")
COUNT, SHARD_SIZE = 10, 4


class ToyEncoder:
    """Latents (N, 512) that depend on each image, and on how many are embedded with it."""

    image_size, latent_size = 16, 512

    def cut(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        return image

    def embed(self, crops: np.ndarray) -> np.ndarray:
        seeds = [[len(crops), *crop.ravel()] for crop in crops]
        rows = [np.random.default_rng(seed).standard_normal(512) for seed in seeds]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The plainest one, whose heads need no B."""
    plain = Recipe.read("minimal")
    return replace(plain, heads=replace(plain.heads, distribution="prior"))


def make(
    folder: Path,
    recipe: Recipe,
    *harm: str,
    workers: int = 2,
    timeout: float = 60.0,
    log: Path | None = None,
    encoder: Any = None,
) -> tuple[RunFolder, Status]:
    """Make a whole run, or go on with one."""
    run = RunFolder.begin(
        folder, {"count": COUNT, "shard_size": SHARD_SIZE, "seed": 3}, [], "", replace=False
    )
    status = Status(COUNT, EventLog(log), io.StringIO())
    plan = Plan(recipe, load_head_model("open_flame"), 3)
    reader = BatchEncoder(encoder or ToyEncoder())
    farm = Farm(run, plan, reader, {"Blender": "none"}, status)
    command = [*FAKE, *harm]
    shards = [shard for shard in range(run.shard_count) if not is_done(run, shard)]
    with render_pool(
        workers, SetUp("open_flame", {}, 0), folder / "logs", timeout, command
    ) as pool:
        farm.make(shards, pool)
    return run, status


def hashes(run: RunFolder) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.path.glob("data-*.tar"))
    }


def records(run: RunFolder) -> Iterator[dict[str, Any]]:
    for path in sorted(run.path.glob("data-*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member)
                if member.name.endswith(".json") and content is not None:
                    yield json.load(content)


@pytest.fixture(scope="module")
def expected(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The shards of an undisturbed run."""
    return hashes(make(tmp_path_factory.mktemp("undisturbed") / "run", recipe)[0])


def test_the_number_of_processes_does_not_matter(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    run, status = make(tmp_path / "run", recipe, workers=3)
    assert hashes(run) == expected and len(expected) == 3
    assert (status.accepted, status.rejected, status.failed) == (COUNT, 0, 0)


def test_a_record_says_all_that_made_a_sample(tmp_path: Path, recipe: Recipe) -> None:
    run, _ = make(tmp_path / "run", recipe)
    found = list(records(run))
    assert [record["index"] for record in found] == list(range(COUNT))
    sixth = found[6]
    plan = Plan(recipe, load_head_model("open_flame"), sixth["seed"][0])
    shot = plan.shot(sixth["index"], sixth["attempt"])
    assert list(sixth["parameters"].values()) == shot.parameters.tolist()
    assert sixth["noise_seed"] == shot.seed and sixth["seed"] == [3, 6, 0]
    assert sixth["run"] == run.digest and sixth["versions"] == {"Blender": "none"}


def test_a_crash_in_one_sample_changes_nothing(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    run, status = make(tmp_path / "run", recipe, "--die-once-at", "5", str(tmp_path / "mark"))
    assert hashes(run) == expected and status.failed == 0
    assert (tmp_path / "mark").exists()


def test_a_sample_that_always_crashes_is_given_up_with_its_seed_and_tried_on_resume(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    log = tmp_path / "events.jsonl"
    run, status = make(tmp_path / "run", recipe, "--die-at", "5", log=log)
    assert (status.accepted, status.failed) == (COUNT - 1, 1)
    sidecar = read_sidecar(run, 1)
    assert sidecar is not None
    (failure,) = sidecar["failed"]
    assert failure["index"] == 5 and failure["seed"] == [3, 5, 0] and "SIGSEGV" in failure["reason"]
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(event["event"] == "worker" and event["state"] == "died" for event in events) == 2
    assert hashes(make(tmp_path / "run", recipe)[0]) == expected


def test_what_kills_the_processes_on_every_sample_ends_the_run_and_loses_none(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    with pytest.raises(UserError, match=r"5 samples in a row.* it died of SIGSEGV; .*--resume"):
        make(tmp_path / "run", recipe, "--die-from", "5", workers=1)
    run, status = make(tmp_path / "run", recipe)
    assert hashes(run) == expected
    assert status.accepted == 5, "what was finished stayed"


def test_a_hanging_process_is_no_end(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    _, status = make(tmp_path / "run", recipe, "--hang-at", "2", timeout=2.0)
    assert status.failed == 1
    assert hashes(make(tmp_path / "run", recipe)[0]) == expected


def test_a_head_without_a_face_is_drawn_anew_and_given_up_for_good_in_the_end(
    tmp_path: Path, recipe: Recipe
) -> None:
    run, status = make(tmp_path / "run", recipe, "--hide-face-at", "9")
    attempts = recipe.accept.attempts
    assert (status.accepted, status.rejected, status.failed) == (COUNT - 1, attempts - 1, 1)
    sidecar = read_sidecar(run, 2)
    assert sidecar is not None and sidecar["failed"][0]["seed"] == [3, 9, attempts - 1]
    assert "face" in sidecar["failed"][0]["reason"]
    assert is_done(run, 2), "the same draws would be refused again"


def test_a_sample_without_a_face_has_the_members_and_types_of_the_others(
    tmp_path: Path, recipe: Recipe
) -> None:
    lenient = replace(recipe, accept=replace(recipe.accept, face=False))
    run, status = make(tmp_path / "run", lenient, "--hide-face-at", "9")
    assert (status.accepted, status.failed) == (COUNT, 0)
    samples = dict(s for n in range(run.shard_count) for s in read_shard(run.tar(n)))
    assert {tuple(s) for s in samples.values()} == {
        ("png", "json", "requested.npy", "achieved.npy")
    }
    for key, members in samples.items():
        achieved, record = decode_npy(members["achieved.npy"]), json.loads(members["json"])
        assert achieved.shape == (512,) and np.isnan(achieved).all() == (key == "000009")
        assert record["face_seen"] == (key != "000009")
        assert np.isnan(decode_npy(members["requested.npy"])).all()
        assert record["cosine_distance"] == -1.0
        assert record["label_check"] == {"done": False, "worst_depth_mm": -1.0}
        assert all(isinstance(part, float) for part in record["background"]["colour"])


def test_answers_do_not_depend_on_how_many_come_at_once(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = Pool.hear

    def late(pool: Pool) -> Iterator[Any]:
        time.sleep(0.3)  # all have answered
        return hear(pool)

    monkeypatch.setattr(Pool, "hear", late)
    assert hashes(make(tmp_path / "run", recipe, workers=3)[0]) == expected


def test_a_face_that_cannot_be_cut_out_is_a_face_that_is_not_there(
    tmp_path: Path, recipe: Recipe
) -> None:
    class Choosy(ToyEncoder):
        def cut(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
            raise RejectedSample("a face whose landmarks are mirrored cannot be cropped")

    run, status = make(tmp_path / "run", recipe, encoder=Choosy())
    assert (status.accepted, status.failed) == (0, COUNT)
    sidecar = read_sidecar(run, 0)
    assert sidecar is not None and "the face is turned away" in sidecar["failed"][0]["reason"]


def test_a_full_disk_under_the_event_log_ends_the_run_and_its_processes(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    with pytest.raises(UserError, match="--log-json /dev/full"):
        make(tmp_path / "run", recipe, log=Path("/dev/full"))
    assert hashes(make(tmp_path / "run", recipe)[0]) == expected


def test_what_the_user_has_to_mend_ends_the_run_and_keeps_what_is_there(
    tmp_path: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    with pytest.raises(UserError, match=r"forest\.hdr"):
        make(tmp_path / "run", recipe, "--break-at", "7", workers=1)
    run, status = make(tmp_path / "run", recipe)
    assert hashes(run) == expected
    assert status.accepted <= COUNT - 4, "the first shard was there already"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here: needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_and_loses_nothing(
    small_disk: Path, recipe: Recipe, expected: dict[str, str]
) -> None:
    with pytest.raises(UserError, match="No space left on device"):
        make(small_disk / "run", recipe)
    assert not list(small_disk.rglob(".facegen-*")), "nothing is half written"
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    run, status = make(small_disk / "run", recipe)
    assert hashes(run) == expected
    assert status.found_before > 0, "what was finished stayed"
