# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `measure` on a forward mapping in closed form: figures, resuming, refusals."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from batch import figures as batch_figures
from batch import measure as command
from batch import measure_work, measure_worker
from batch.measure_options import read_latents
from batch.measure_strips import draw_strip, examples
from batch.measure_work import CHUNK, Work
from batch.run import COMMANDS
from facegen_addon.confidence import bootstrap_interval
from facegen_addon.errors import RejectedSample, UserError
from facegen_addon.heads import catalogue
from facegen_addon.latent.sphere import angle, cosine_distance, normalise
from facegen_addon.mapping import roundtrip
from facegen_addon.mapping.backward import BackwardMapping
from facegen_addon.mapping.inversion import InversionSettings, TrustRegion
from facegen_addon.mapping.roundtrip import Iterated
from facegen_addon.terminal.pool_worker import Steps
from tests.mapping.test_backward import LinearNetwork, small_ensemble
from tests.pool_here import PoolHere
from tests.training.synthetic import SyntheticHead, synthetic_table

OFFSET = 0.4 * normalise(np.random.default_rng(5).standard_normal(512))
COUNT = 2 * CHUNK + 3
ARGUMENTS = ["--model", "synthetic", "--grade", "direct"]

Run = Callable[..., int]


@pytest.fixture
def mapping(monkeypatch: pytest.MonkeyPatch) -> BackwardMapping:
    """A head model, its B, and nothing that takes long."""
    head = SyntheticHead(synthetic_table())
    monkeypatch.setitem(catalogue.HEAD_MODELS, head.name, lambda: head)
    catalogue.forget_models()
    ensemble = small_ensemble(len(head.table.guided))
    settings = InversionSettings.of(head.table)
    region = TrustRegion.of(head.table, settings, np.eye(ensemble.inputs))
    network = LinearNetwork(ensemble)
    mapping = BackwardMapping.assemble(head.table, ensemble, region, settings, network)  # type: ignore[arg-type]
    monkeypatch.setattr(BackwardMapping, "load", lambda name, table: mapping)
    monkeypatch.setattr(command, "artifact", lambda name: SimpleNamespace(sha256=f"hash {name}"))
    monkeypatch.setattr(batch_figures.metrics, "frechet_distance", lambda a, b: 0.25)
    monkeypatch.setattr(roundtrip, "bootstrap_interval", partial(bootstrap_interval, draws=20))
    return mapping


class Studio:
    """F is what the surrogates say, shifted; counts heads and stops or rejects where told."""

    in_process = True

    def __init__(
        self, mapping: BackwardMapping, stop_at: int | None = None, faceless: tuple[int, ...] = ()
    ) -> None:
        self.heads, self.pictures = 0, 0
        self._mapping, self._stop_at, self._faceless = mapping, stop_at, faceless

    def check(self, options: Any) -> None:
        pass

    def versions(self) -> dict[str, Any]:
        return {"Blender": "none"}

    def seen(self, parameters: np.ndarray) -> np.ndarray:
        z = self._mapping.table.standardise(parameters)
        return normalise(self._mapping.predicted(z) + OFFSET).astype(np.float32)

    def forward(self, model: Any, options: Any) -> Callable[[np.ndarray], np.ndarray]:
        def embed(parameters: np.ndarray) -> np.ndarray:
            if self.heads == self._stop_at:
                raise KeyboardInterrupt
            self.heads += 1
            if self.heads - 1 in self._faceless:
                raise RejectedSample("turned away")
            return self.seen(parameters)

        return embed

    def portraits(self, model: Any, parameters: np.ndarray) -> Iterator[np.ndarray]:
        for _ in parameters:
            self.pictures += 1
            yield np.full((96, 96, 3), 40 + self.pictures % 200, np.uint8)


@pytest.fixture
def latents(mapping: BackwardMapping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of latents that B can reach; no research data."""
    monkeypatch.setenv("FACEGEN_SHARED", str(tmp_path / "nothing"))
    z = np.random.default_rng(1).normal(0, 0.5, (COUNT, 24))
    path = tmp_path / "wanted.npz"
    np.savez(path, latents=mapping.predicted(z))
    return path


@pytest.fixture
def run(mapping: BackwardMapping, latents: Path, tmp_path: Path) -> Run:
    """Run the command with further arguments; `studio` and `output` (a name) can be given."""

    def start(*further: str, studio: Studio | None = None, output: str = "run") -> int:
        where = ["--latents", str(latents), "--output", str(tmp_path / output)]
        return command.main([*ARGUMENTS, *where, *further], studio or Studio(mapping))

    return start


@pytest.fixture
def result(tmp_path: Path) -> Callable[..., tuple[dict[str, np.ndarray], dict[str, Any]]]:
    def read(output: str = "run") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        with np.load(tmp_path / output / "roundtrip.npz") as archive:
            arrays = dict(archive)
        return arrays, json.loads((tmp_path / output / "report.json").read_text())

    return read


def test_results_agree_with_one_another(
    run: Run, result: Any, mapping: BackwardMapping, latents: Path, tmp_path: Path
) -> None:
    assert run() == 0
    arrays, report = result()
    np.testing.assert_allclose(arrays["requested"], np.load(latents)["latents"], atol=1e-6)
    np.testing.assert_array_equal(arrays["asked"], arrays["requested"])
    expected = Studio(mapping).seen(arrays["parameters"])
    np.testing.assert_allclose(arrays["achieved"], expected, atol=1e-6)
    shift = cosine_distance(arrays["requested"], arrays["achieved"])
    np.testing.assert_allclose(arrays["distance"], shift)
    degrees = np.degrees(angle(arrays["requested"], arrays["achieved"]))
    np.testing.assert_allclose(arrays["angle"], degrees)
    assert list(arrays["names"]) == list(mapping.table.names) and arrays["model"] == "synthetic"
    assert arrays["usable"].all() and not any(name.startswith("before") for name in arrays)
    (after,) = report["sets"].values()
    assert after["shift"]["degrees"]["mean"]["value"] == pytest.approx(degrees.mean())
    assert after["shift"]["distance"]["median"]["value"] == pytest.approx(np.median(shift))
    rho = (arrays["achieved"] - arrays["requested"]).astype(np.float64)
    np.testing.assert_allclose(after["mean_shift"]["vector"], rho.mean(axis=0), atol=1e-7)
    share = np.sum(rho.mean(axis=0) ** 2) / np.mean(np.sum(rho**2, axis=1))
    assert after["mean_shift"]["common_share"] == pytest.approx(share)
    assert after["heads"]["count"] == report["renders"] == COUNT
    assert report["improvement"] is None and not (tmp_path / "run" / "work").exists()


def test_the_page_needs_no_other_file(run: Run, tmp_path: Path) -> None:
    run("--renders", "1")
    page = (tmp_path / "run" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert page.count("<svg") == 3  # the histogram, the map before and that after
    assert "http" not in page and "src=" in page and "share of heads" in page
    for name in ("best", "median", "worst"):
        png = (tmp_path / "run" / f"strip_{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")


def test_half_steps_are_what_renders_are_for_unless_told_otherwise(
    run: Run, result: Any, tmp_path: Path
) -> None:
    run("--renders", "2")
    arrays, report = result()
    assert report["request"]["feedback"] == "half_steps" and report["renders"] == 3 * COUNT
    assert (np.diff(arrays["step_distance"], axis=0) <= 0).all()
    assert arrays["distance"].mean() < 0.95 * arrays["before_distance"].mean()
    last = {key: report["steps"][2][key] for key in ("degrees", "distance")}
    assert report["nearest_of_steps"] == last
    page = (tmp_path / "run" / "index.html").read_text()
    assert "nearest so far" in page and "nearest of all these" not in page
    run("--renders", "2", "--feedback", "half_steps", output="named")
    named = (tmp_path / "named" / "roundtrip.npz").read_bytes()
    assert named == (tmp_path / "run" / "roundtrip.npz").read_bytes()


def test_every_step_of_the_feedback_is_kept(
    run: Run, result: Any, mapping: Any, tmp_path: Path
) -> None:
    studio = Studio(mapping)
    run("--renders", "2", "--feedback", "compensated", studio=studio)
    assert "nearest of all these" in (tmp_path / "run" / "index.html").read_text()
    arrays, report = result()
    assert studio.heads == 3 * COUNT == report["renders"]
    assert arrays["step_achieved"].shape == (3, COUNT, 512)
    np.testing.assert_array_equal(arrays["step_achieved"][2], arrays["achieved"])
    np.testing.assert_array_equal(arrays["step_achieved"][0], arrays["before_achieved"])
    np.testing.assert_array_equal(arrays["step_asked"][0], arrays["requested"])
    assert [step["renders"] for step in report["steps"]] == [0, 1, 2]
    means = [step["distance"]["mean"]["value"] for step in report["steps"]]
    np.testing.assert_allclose(means, arrays["step_distance"].mean(axis=1))
    nearest = report["nearest_of_steps"]["distance"]["mean"]["value"]
    assert nearest == pytest.approx(arrays["step_distance"].min(axis=0).mean())
    ratio = report["improvement"]["distance_ratio"]["value"]
    assert ratio == pytest.approx(means[2] / means[0])


def test_the_formula_as_written_asks_for_what_came_back(run: Run, result: Any) -> None:
    run("--renders", "1", "--feedback", "as_written")
    arrays, report = result()
    np.testing.assert_allclose(arrays["asked"], arrays["before_achieved"], atol=1e-6)
    assert report["request"]["feedback"] == "as_written"


def test_a_correction_is_compared_with_none(
    run: Run, result: Any, mapping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, model: str, grade: str) -> Callable[[np.ndarray], np.ndarray]:
        assert (model, grade) == ("synthetic", "direct")
        away = OFFSET if name == "mean_rotation" else 0.0 * OFFSET
        return lambda latents: normalise(latents - away).astype(np.float32)

    for module in (command, measure_worker):
        monkeypatch.setattr(module, "load_correction", load)
    studio = Studio(mapping)
    run("--correction", "mean_rotation", studio=studio)
    arrays, report = result()
    assert studio.heads == 2 * COUNT == report["renders"]
    assert studio.pictures == 3 * 3 * 2
    run("--correction", "none", output="plain")
    plain, _ = result("plain")
    np.testing.assert_allclose(arrays["before_achieved"], plain["achieved"], atol=1e-6)
    assert np.abs(arrays["asked"] - arrays["requested"]).max() > 0.01
    alone = Studio(mapping)
    run("--correction", "mean_rotation", "--no-before", studio=alone, output="alone")
    assert alone.heads == COUNT and "before" not in result("alone")[1]["sets"]


def test_a_stopped_run_goes_on_and_ends_as_if_never_stopped(
    run: Run, mapping: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--renders", "1", output="whole")
    assert run("--renders", "1", studio=Studio(mapping, stop_at=2 * CHUNK + 5)) == 130
    assert f"{CHUNK} of {COUNT} latents are measured" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["work"]
    studio = Studio(mapping)
    assert run("--renders", "1", studio=studio) == 0
    assert studio.heads == 2 * (COUNT - CHUNK)
    first, second = (tmp_path / name / "roundtrip.npz" for name in ("whole", "run"))
    assert first.read_bytes() == second.read_bytes()


def test_stopped_while_results_are_written_nothing_is_rendered_again(
    run: Run, mapping: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "write_results", stop)
        assert run() == 130
    studio = Studio(mapping)
    assert run(studio=studio) == 0 and studio.heads == 0
    assert [path.name for path in tmp_path.glob(".facegen-*")] == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--seed", "1"], "seed 0 -> 1"),
        (["--samples", "16"], "samples 8 -> 16"),
        (["--grade", "refined"], "grade direct -> refined"),
        (["--renders", "1"], "feedback None -> half_steps, renders 0 -> 1"),
        (["--count", "5"], f"count {COUNT} -> 5"),
        (["--no-before"], "before True -> False"),
        (["--latents", "natural", "--count", str(COUNT)], "latents .* -> natural"),
    ],
)
def test_work_of_other_settings_is_refused_by_name(
    run: Run, mapping: Any, change: list[str], named: str
) -> None:
    assert run(studio=Studio(mapping, stop_at=CHUNK + 1)) == 130
    with pytest.raises(UserError, match=rf"other settings \(.*{named}.*add --replace"):
        run(*change)
    studio = Studio(mapping)
    assert run(*change, "--replace", studio=studio) == 0
    assert studio.heads >= min(COUNT, 5)


def test_other_latents_or_another_version_of_b_are_refused(
    run: Run, mapping: Any, latents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(studio=Studio(mapping, stop_at=CHUNK + 1)) == 130
    with monkeypatch.context() as patch:
        patch.setattr(command, "artifact", lambda name: SimpleNamespace(sha256="newer"))
        with pytest.raises(UserError, match=r"version of backward_synthetic hash .* -> newer"):
            run()
    with monkeypatch.context() as patch:
        patch.setattr(SyntheticHead, "sources", {"FLAME file": "newer"})
        with pytest.raises(UserError, match="version of FLAME file None -> newer"):
            run()
    np.savez(latents, latents=np.roll(np.load(latents)["latents"], 1, axis=0))
    with pytest.raises(UserError, match="content of the latents"):
        run()


def test_replace_goes_on_with_work_of_the_same_settings(run: Run, mapping: Any) -> None:
    """A farm starts a killed task again with the very same command."""
    run()
    assert run("--replace", studio=Studio(mapping, stop_at=CHUNK + 1)) == 130
    studio = Studio(mapping)
    assert run("--replace", studio=studio) == 0 and studio.heads == COUNT - CHUNK


def test_a_complete_run_is_not_overwritten_by_mistake(
    run: Run, mapping: Any, tmp_path: Path
) -> None:
    run()
    before = (tmp_path / "run" / "roundtrip.npz").read_bytes()
    with pytest.raises(UserError, match=r"not empty.*--replace"):
        run("--seed", "1")
    assert run("--replace", "--count", "3", studio=Studio(mapping, stop_at=1)) == 130
    # The former results stay until the new ones are complete.
    assert (tmp_path / "run" / "roundtrip.npz").read_bytes() == before
    with pytest.raises(UserError, match=r"not empty.*--replace"):
        run("--count", "3")
    assert run("--replace", "--count", "3") == 0
    assert (tmp_path / "run" / "roundtrip.npz").read_bytes() != before


def test_somebodys_files_are_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    for further in ([], ["--replace"]):
        with pytest.raises(UserError, match="not empty"):
            run(*further)
    with pytest.raises(UserError, match="is a file"):
        run(output="run/thesis.txt")


@pytest.mark.parametrize("name", ["settings.json", "latents.npz"])
def test_damaged_work_is_refused(run: Run, mapping: Any, tmp_path: Path, name: str) -> None:
    assert run(studio=Studio(mapping, stop_at=CHUNK + 1)) == 130
    (tmp_path / "run" / "work" / name).write_bytes(b"{")
    with pytest.raises(UserError, match=r"damaged.*--replace"):
        run()
    assert run("--replace") == 0


def test_a_damaged_chunk_is_measured_again(run: Run, mapping: Any, tmp_path: Path) -> None:
    assert run(studio=Studio(mapping, stop_at=2 * CHUNK)) == 130
    chunk = tmp_path / "run" / "work" / "chunk_00000.npz"
    chunk.write_bytes(chunk.read_bytes()[:500])
    studio = Studio(mapping)
    assert run(studio=studio) == 0 and studio.heads == COUNT - CHUNK


def test_killed_before_anything_was_measured_it_goes_on(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run" / "work").mkdir(parents=True)
    (tmp_path / "run" / "work" / "latents.npz").write_bytes(b"half")
    assert run() == 0


def test_who_measures_which_chunk_changes_nothing(run: Run, mapping: Any, tmp_path: Path) -> None:
    run(output="whole")
    assert run(studio=Studio(mapping, stop_at=0)) == 130
    folder = tmp_path / "run"
    options = command.parse_options([*ARGUMENTS, "--latents", str(tmp_path / "wanted.npz")])
    for chunks, heads in (([2, 0], CHUNK + 3), ([1], CHUNK)):
        worker = Studio(mapping)
        pool = PoolHere(partial(measure_worker.measuring, studio=worker))
        heard = list(pool([], 1, replace(options, output=folder)).work_off(chunks))
        assert worker.heads == heard.count(Steps(1)) == heads
    studio = Studio(mapping)
    assert run("--workers", "7", studio=studio) == 0 and studio.heads == 0
    first, second = (tmp_path / name / "roundtrip.npz" for name in ("whole", "run"))
    assert first.read_bytes() == second.read_bytes()


def test_workers_are_given_the_chunks_that_are_not_done(
    run: Run, mapping: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(studio=Studio(mapping, stop_at=CHUNK)) == 130
    worker, studio = Studio(mapping), Studio(mapping)
    pool = PoolHere(partial(measure_worker.measuring, studio=worker))
    monkeypatch.setattr(command, "Pool", pool)
    studio.in_process = False
    capsys.readouterr()
    assert run("--workers", "7", studio=studio) == 0
    assert pool.jobs == [1, 2] and pool.size == 2
    assert studio.heads == 0 and worker.heads == CHUNK + 3
    assert "100 %" in capsys.readouterr().err
    assert pool.command[-1] == "measure-worker"
    assert "batch/run.py" in pool.command[-2].replace("\\", "/")


def test_heads_without_a_face_are_left_out_and_counted(
    run: Run, result: Any, mapping: Any, tmp_path: Path
) -> None:
    assert run(studio=Studio(mapping, faceless=(3, 10))) == 0
    arrays, report = result()
    assert np.flatnonzero(~arrays["usable"]).tolist() == [3, 10]
    assert not arrays["achieved"][3].any()
    assert report["latents"]["usable"] == COUNT - 2
    assert report["sets"]["after"]["heads"]["count"] == COUNT - 2
    mean = report["sets"]["after"]["shift"]["degrees"]["mean"]["value"]
    assert mean == pytest.approx(arrays["angle"][arrays["usable"]].mean())
    assert "2 heads showed no face" in (tmp_path / "run" / "index.html").read_text()
    with pytest.raises(UserError, match="no head shows its face"):
        run(studio=Studio(mapping, faceless=tuple(range(COUNT))), output="none")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_latents_have_what_figures_they_can(
    run: Run, result: Any, tmp_path: Path, count: int
) -> None:
    assert run("--count", str(count), "--renders", "1") == 0
    heads = result()[1]["sets"]["after"]["heads"]
    assert (heads["pairwise"] is None) == (count == 1)
    assert (heads["precision_recall"] is None) == (count < 4)
    page = (tmp_path / "run" / "index.html").read_text()
    assert ("roundtrip of 1 latent on" in page) == (count == 1)
    assert "</i>after</span>" in page  # beside those before
    assert f"about {1 / count:.2f} even where nothing is" in page and "-0.0 " not in page
    # A lone head says nothing of how far another's may lie.
    assert (re.search(r"<td>[-0-9.]+ \[", page) is None) == (count == 1)


def test_natural_latents_are_the_seeds(
    mapping: BackwardMapping, latents: Path, tmp_path: Path, result: Any
) -> None:
    def natural(output: str, *further: str) -> np.ndarray:
        arguments = [*ARGUMENTS, "--output", str(tmp_path / output), *further]
        assert command.main(arguments, Studio(mapping)) == 0
        requested: np.ndarray = result(output)[0]["requested"]
        return requested

    few, more = natural("few", "--count", "3"), natural("more", "--count", "5")
    np.testing.assert_array_equal(few, more[:3])
    assert np.abs(natural("other", "--count", "3", "--seed", "1") - few).max() > 0.01


@pytest.fixture
def real_file(tmp_path: Path) -> Path:
    """1,100 people, two photos each."""
    path = tmp_path / "real.npz"
    rows = normalise(np.random.default_rng(3).normal(size=(2200, 512))).astype(np.float16)
    np.savez(path, latents=rows, identity=np.repeat(np.arange(1100), 2).astype(np.int32))
    return path


def test_held_out_people_are_asked_for_in_their_order(
    run: Run, result: Any, real_file: Path
) -> None:
    assert run("--latents", "held-out", "--real-latents", str(real_file), "--count", "6") == 0
    arrays, report = result()
    people = read_people(real_file)
    np.testing.assert_allclose(arrays["requested"], people[:6], atol=1e-3)
    nearest = 1 - arrays["achieved"] @ people.T
    np.testing.assert_array_equal(arrays["nearest_index"], nearest.argmin(axis=1))
    np.testing.assert_allclose(arrays["nearest_distance"], nearest.min(axis=1), atol=1e-3)
    assert report["nearest_real_identity"]["people"] == 1000


def read_people(real_file: Path) -> np.ndarray:
    from facegen_addon.latent.real_faces import load_photos, one_photo_each, split_identities

    photos = load_photos(real_file)
    held_out = split_identities(photos.identity).held_out
    return photos.latents[one_photo_each(photos.identity, held_out)]


def test_wrong_demands_on_real_people_are_refused(
    run: Run, real_file: Path, tmp_path: Path
) -> None:
    real = ["--real-latents", str(real_file)]
    with pytest.raises(UserError, match=r"--count 501: .*1000 held-out people.*at most 500"):
        run("--latents", "held-out", *real, "--count", "501")
    with pytest.raises(UserError, match=r"no file of real latents.*--real-latents"):
        run("--latents", "held-out")
    everybody = tmp_path / "everybody.npy"
    np.save(everybody, read_people(real_file))
    with pytest.raises(UserError, match=r"all but 0 of the real people"):
        run("--latents", str(everybody), *real)


def test_an_npy_and_latents_off_the_sphere_are_taken_with_a_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(5, 512)))
    path = tmp_path / "rows.npy"
    np.save(path, rows)
    np.testing.assert_allclose(read_latents(path), rows, atol=1e-6)
    assert not caplog.records
    np.save(path, rows * [[1.0], [3.0], [1.0], [0.2], [1.001]])
    np.testing.assert_allclose(read_latents(path), rows, atol=1e-6)
    (notice,) = caplog.messages
    assert "2 of 5 latents are not of unit norm and are normalised" in notice
    np.save(path, rows[0])
    assert read_latents(path).shape == (1, 512)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((3, 128)), r"\(3, 128\): give rows of 512"),
        (np.ones((2, 2, 512)), "give rows of 512"),
        (np.vstack([np.ones(512), np.zeros(512)]), "latent 1 has norm 0"),
        (np.full((1, 512), np.inf), "inf"),
        (np.zeros((0, 512)), "holds no latents"),
        (np.full((2, 512), "a"), "no numbers"),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_latents_that_are_none_are_refused(
    run: Run, tmp_path: Path, rows: np.ndarray, message: str, suffix: str
) -> None:
    path = tmp_path / f"bad{suffix}"
    if suffix == ".npz":
        np.savez(path, latents=rows)
    else:
        np.save(path, rows)
    with pytest.raises(UserError, match=message) as refused:
        run("--latents", str(path))
    assert path.name in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_nan_is_refused(run: Run, tmp_path: Path) -> None:
    rows = np.eye(512)[:3]
    rows[1, 7] = np.nan
    np.savez(tmp_path / "nan.npz", latents=rows)
    np.save(tmp_path / "nan.npy", rows)
    for name in ("nan.npz", "nan.npy"):
        with pytest.raises(UserError, match=rf"{name}.*(NaN|norm nan)"):
            run("--latents", str(tmp_path / name))


def test_files_that_are_none_are_refused(run: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", codes=np.eye(512))
    np.savez(tmp_path / "none.npz")
    for name in ("text.npz", "text.npy", "empty.npz", "empty.npy"):
        (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"no archive")
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    for name, message in {
        "other.npz": "no array latents but codes",
        "none.npz": "none at all",
        "text.npz": "not a whole .npz",
        "text.npy": "no whole .npy",
        "empty.npz": "not a whole .npz",
        "empty.npy": "no whole .npy",
        "pickle.npy": "no whole .npy",
        "absent.npz": "missing",
        "absent.npy": "missing",
        "photo.jpg": "neither natural nor held-out",
    }.items():
        with pytest.raises(UserError, match=message):
            run("--latents", str(tmp_path / name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "shoe"], "shoe"),
        (["--grade", "best"], "unknown --grade 'best'"),
        (
            ["--correction", "magic"],
            "unknown --correction 'magic'; choose from none, mean_rotation",
        ),
        (["--feedback", "louder", "--renders", "1"], "unknown --feedback 'louder'"),
        (["--feedback", "compensated"], "--feedback compensated looks at renders"),
        (["--renders", "-1"], "--renders -1"),
        (["--renders", "65"], "--renders 65"),
        (["--count", "0"], "--count 0"),
        (["--count", "20"], "--count 20: .* has 19 latents"),
        (["--seed", "-1"], "--seed -1"),
        (["--samples", "0"], "--samples 0"),
        (["--workers", "0"], "--workers 0"),
        (["--encoder", "eyes"], "unknown encoder 'eyes'"),
        (["--real-latents", "nowhere.npz"], "--real-latents nowhere.npz"),
        (["--latents", "unnatural"], "--latents unnatural is neither"),
        (["--corection", "none"], "--corection"),
    ],
)
def test_wrong_values_are_named(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as refused:
        run(*arguments)
    assert "\n" not in str(refused.value) and not (tmp_path / "run").exists()


def test_an_encoder_that_does_not_fit_b_is_refused_naming_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = SimpleNamespace(name="sface", latent_size=128)
    monkeypatch.setattr(measure_worker.Encoder, "load", lambda encoder: other)
    options: Any = SimpleNamespace(encoder="sface")
    with pytest.raises(UserError, match=r"sface gives latents of 128 numbers, B takes 512"):
        command.BlenderStudio().check(options)


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(["--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and "--latents held-out --count 200" in text
    assert "half_steps, compensated, as_written" in " ".join(text.split())
    assert COMMANDS["measure"][0] == "batch.measure"


def test_examples_are_the_ends_and_the_middle_of_the_usable() -> None:
    degrees = np.array([50.0, 10, 20, 90, 40, 30, 60, 70, 80, 5])
    usable = degrees != 5
    chosen = examples(degrees, usable)
    assert chosen == {"best": [1, 2, 5], "median": [4, 0, 6], "worst": [3, 8, 7]}
    assert examples(degrees[:3], usable[:3]) == {"best": [1], "median": [2], "worst": [0]}
    assert examples(degrees[:2], usable[:2]) == {"median": [1, 0]}
    assert examples(degrees[9:], usable[9:]) == {"median": []}


def test_a_strip_shows_each_head_before_and_after() -> None:
    pictures = [[np.full((96, 96, 3), 50 * i + j, np.uint8) for j in (1, 2)] for i in (2, 3, 4)]
    strip = draw_strip([7, 8, 9], pictures, [[40.0, 30.0]] * 3)
    for i in (2, 3, 4):
        for j in (1, 2):
            assert (strip == 50 * i + j).all(axis=2).sum() >= 96 * 96
    assert strip.shape[1] > 6 * 96 and strip[-20:].max() > 150  # something is written below


def test_a_chunk_is_done_though_its_latents_changed_a_last_bit(tmp_path: Path) -> None:
    """What is measured is normalised once more."""
    rows = normalise(np.random.default_rng(2).normal(size=(CHUNK, 512))).astype(np.float32)
    with Work.begin(tmp_path / "run", {"seed": 0}, rows, False) as work:
        pass
    other = np.nextafter(rows, np.float32(2))
    steps = Iterated(other, other[None], other[None], np.zeros((1, CHUNK, 4)), np.ones(CHUNK, bool))
    work.write(0, steps, None)
    assert work.pending() == []
    np.testing.assert_array_equal(work.collect().after.achieved, other)


def test_a_chunk_is_a_unit_of_work(tmp_path: Path) -> None:
    rows = np.eye(512, dtype=np.float32)[:COUNT]
    with Work.begin(tmp_path / "run", {"seed": 0}, rows, False) as work:
        pass
    assert len(work) == 3 and [len(work.part(i)) for i in range(3)] == [CHUNK, CHUNK, 3]
    assert work.pending() == [0, 1, 2]
    np.testing.assert_array_equal(Work.open(tmp_path / "run").latents, rows)


@pytest.mark.parametrize("name", ["thesis.txt", "settings.json"])
@pytest.mark.parametrize("earlier", [False, True])
def test_somebodys_folder_called_work_is_left_alone(
    run: Run, tmp_path: Path, name: str, earlier: bool
) -> None:
    """An output folder is replaced as a whole: what lies in it must be known to be FaceGen's."""
    mine = tmp_path / "run" / "work" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    if earlier:
        (tmp_path / "run" / "report.json").write_text("{}")
    for further in ([], ["--replace"]):
        with pytest.raises(UserError, match=r"not FaceGen's; name another --output"):
            run(*further)
    assert mine.read_text() == "years of work"


@pytest.mark.skipif(os.name == "nt", reason="no lock there")
def test_a_second_process_is_refused_until_the_first_is_gone(
    run: Run, mapping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = []

    def second(*_: Any) -> None:
        for further in ([], ["--replace"], ["--replace", "--seed", "1"]):
            with pytest.raises(UserError, match="another process is at work") as refused:
                run(*further)
            messages.append(str(refused.value))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "write_results", second)
        assert run() == 130
    assert len(messages) == 3
    studio = Studio(mapping)
    assert run(studio=studio) == 0 and studio.heads == 0  # nothing was taken from the first


@pytest.mark.parametrize("name", ["Blender", "FaceGen", "device"])
def test_work_of_other_versions_is_refused(
    run: Run, mapping: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(Studio, "versions", lambda self: {name: "former"})
    assert run(studio=Studio(mapping, stop_at=CHUNK + 1)) == 130
    monkeypatch.setattr(Studio, "versions", lambda self: {name: "newer", "NumPy": "whatever"})
    with pytest.raises(UserError, match=rf"other settings \({name} former -> newer\)"):
        run()


def test_work_of_another_form_is_refused(
    run: Run, mapping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(studio=Studio(mapping, stop_at=CHUNK + 1)) == 130
    monkeypatch.setattr(measure_work, "_FORMAT", {"format of the work": 2})
    with pytest.raises(UserError, match=r"format of the work 1 -> 2"):
        run()


def test_a_folder_beside_which_nothing_can_be_written_is_refused_before_rendering(
    run: Run, mapping: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(studio=Studio(mapping, stop_at=CHUNK + 1)) == 130
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    studio = Studio(mapping)
    with pytest.raises(UserError, match="not a folder you can write to"):
        run(studio=studio)
    assert studio.heads == 0


@pytest.mark.parametrize("kind", [bool, complex, str, "M8[s]", "V4"])
def test_what_is_no_number_is_refused_by_its_type(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, np.ones((2, 512)).astype(kind))
    with pytest.raises(UserError, match=r"of type .* are no numbers; save them as floats"):
        read_latents(path)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_of_other_bytes_than_text_spoils_no_results(run: Run, latents: Path) -> None:
    odd = latents.with_name(os.fsdecode(b"caf\xe9.npz"))
    odd.write_bytes(latents.read_bytes())
    assert run("--latents", str(odd)) == 0


def test_identities_of_the_reference_are_not_called_people(run: Run, tmp_path: Path) -> None:
    """Without a file of real latents the reference is samples of the density."""
    run()
    page = (tmp_path / "run" / "index.html").read_text()
    assert "</i>heads</span>" in page and "</i>after</span>" not in page
    assert "samples of the fitted density" in page and " real people as" not in page


def test_blender_s_chatter_is_not_among_the_results(
    run: Run, mapping: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    class Chatting(Studio):
        def portraits(self, model: Any, parameters: np.ndarray) -> Iterator[np.ndarray]:
            os.write(1, b"Fra:1 Mem:17.59M\n")
            yield from super().portraits(model, parameters)

    assert run(studio=Chatting(mapping)) == 0
    out, err = capfd.readouterr()
    assert "Fra:1" not in out and f"{COUNT} latents" in out and "picture examples" in err
