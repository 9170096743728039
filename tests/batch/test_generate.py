# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job for real: Blender, FaceNet and the committed backward mapping, by subprocess."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("bpy", reason="needs Blender's Python module: `make test` has it")

from batch.generate import _generator
from facegen_addon.artifacts import artifact
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.exchange.slider_file import read_slider_file
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.forward import ForwardMapping
from facegen_addon.scene.render.head_renderer import HeadRenderer

SMALL = ("--count", "3", "--distance", "0.3", "--samples", "2", "--size", "96", "--seed", "5")


def _generate(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(project / "batch/run.py"), "generate", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def two_runs(project: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name, more in (("first", ()), ("second", ("--no-comparison",))):
        done = _generate(project, *SMALL, *more, "--output", str(folder / name))
        assert done.returncode == 0, done.stderr
        (folder / f"{name}.out").write_text(done.stdout)
        (folder / f"{name}.err").write_text(done.stderr)
    return [folder / "first", folder / "second"]


def test_same_seed_same_bytes(two_runs: list[Path]) -> None:
    first, second = two_runs
    with np.load(first / "heads.npz") as a, np.load(second / "heads.npz") as b:
        assert a["parameters"].tobytes() == b["parameters"].tobytes()
        assert a["achieved"].tobytes() == b["achieved"].tobytes()
    for image in sorted((first / "images").iterdir()):
        assert image.read_bytes() == (second / "images" / image.name).read_bytes()


def test_a_run_leaves_what_the_readme_says(two_runs: list[Path]) -> None:
    folder = two_runs[0]
    report = json.loads((folder / "report.json").read_text())
    assert {name: figures["count"] for name, figures in report["sets"].items()} == {
        "run": 3, "uniform": 3, "prior": 3, "real": 3
    }  # fmt: skip
    assert report["variety"]["reached_distance"] >= 0.3
    (held,) = report["variety"]["in_other_hands"]
    assert report["request"]["apart_in"] == "other-crops" and held["looks"] == 16
    assert set(report["heads_per_second"]) == {"sample", "mesh", "render", "embed"}
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (folder / "contact_sheet.png").stat().st_size > 1000
    assert read_slider_file(folder).model == report["request"]["model"]
    (shard,) = folder.glob("*.tar")
    with tarfile.open(shard) as archive:
        names = archive.getnames()
    assert sum(name.endswith(".png") for name in names) == 3


STAGES = ["choose faces", "render heads", "compare: random", "compare: plausible", "write results"]


def test_a_log_has_a_line_a_stage_and_little_more(two_runs: list[Path]) -> None:
    out, err = (two_runs[0].with_suffix(end).read_text() for end in (".out", ".err"))
    assert out == "3 heads of person, rendered by CYCLES on CPU\n" or "CPU" not in out
    assert len(out.splitlines()) == 1
    *bars, last = err.splitlines()
    finished = [line[:22].strip() for line in bars if "100 %" in line]
    assert finished == STAGES
    assert len(bars) <= 15  # where a machine is so slow that a stage says how far it is
    assert last.startswith("3 heads in ") and last.endswith("first/report.html")
    assert "\r" not in err and "\x1b" not in err


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX system")
def test_a_terminal_shows_a_bar_a_stage_and_where_the_report_is(
    project: Path, tmp_path: Path
) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [
        sys.executable, str(project / "batch/run.py"), "generate", "--count", "2", "--distance",
        "0.1", "--samples", "1", "--size", "64", "--grade", "direct", "--output",
        str(tmp_path / "run"),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # Linux's word for the end
            while piece := os.read(ours, 65536):
                written += piece
        os.close(ours)
    assert process.returncode == 0, written
    first, *bars, last, nothing = written.decode().split("\r\n")
    assert first.startswith("2 heads of person, rendered by CYCLES on ") and nothing == ""
    shown = [line.split("\r\x1b[K")[-1] for line in bars]
    assert [line[:22].strip() for line in shown] == STAGES
    assert all("100 %  in " in line for line in shown)
    assert last.endswith("run/report.html")


def test_every_pair_keeps_the_distance(two_runs: list[Path]) -> None:
    with np.load(two_runs[0] / "heads.npz") as heads:
        latents = heads["achieved"].astype(np.float64)
    distances = 1.0 - latents @ latents.T
    assert distances[np.triu_indices(3, 1)].min() >= 0.3


def test_too_high_a_demand_exits_with_3_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    done = _generate(
        project, "--count", "3", "--distance", "1.9", "--samples", "1", "--size", "64",
        "--budget", "3", "--distribution", "uniform", "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "3 heads reach 0." in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["person_head.npz", "backward_person.onnx", "surrogate_person.npz"]
)
@pytest.mark.parametrize("damage", ["truncated", "changed", "missing"])
def test_a_damaged_artifact_is_one_line_and_status_2(
    project: Path, tmp_path: Path, name: str, damage: str
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in (project / "models").iterdir():
        if file.is_file():
            shutil.copy(file, models)
    (models / "built").symlink_to(project / "models/built")
    data = bytearray((models / name).read_bytes())
    if damage == "missing":
        (models / name).unlink()
    else:
        data[len(data) // 2] ^= 0xFF
        (models / name).write_bytes(data[:1000] if damage == "truncated" else data)
    done = _generate(project, *SMALL, "--output", str(tmp_path / "out"), FACEGEN_MODELS=str(models))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert name in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def sface_run(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "sface"
    done = _generate(
        project, "--count", "2", "--samples", "2", "--size", "96", "--distribution", "prior",
        "--distance", "0.2", "--encoder", "sface", "--output", str(folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_another_encoder_tells_the_heads_apart(sface_run: Path) -> None:
    with np.load(sface_run / "heads.npz") as heads:
        assert str(heads["encoder"]) == "sface"
        a, b = heads["achieved"].astype(np.float64)
    assert a.shape == (128,) and 1 - a @ b >= 0.2
    report = json.loads((sface_run / "report.json").read_text())
    assert report["request"]["encoder"] == report["provenance"]["encoder"]["name"] == "sface"
    assert report["provenance"]["encoder"]["sha256"] == artifact("sface").sha256
    assert "person_head" in report["provenance"]["head model"]
    assert report["variety"]["reached_distance"] == pytest.approx(1 - a @ b, abs=1e-6)
    assert set(report["sets"]) == {"run", "uniform", "prior"}
    assert report["sets"]["run"]["frechet"] is None
    with tarfile.open(sface_run / "heads-000000.tar") as archive:
        label = json.load(archive.extractfile("000000.json"))
        assert label["provenance"]["encoder"] == report["provenance"]["encoder"]
        latent = np.load(io.BytesIO(archive.extractfile("000000.achieved.npy").read()))
    np.testing.assert_array_equal(latent, a.astype(np.float32))


def test_comparison_heads_are_read_by_the_same_encoder(sface_run: Path) -> None:
    """SFace's distances between heads of the prior: another crop or encoder gives others."""
    report = json.loads((sface_run / "report.json").read_text())
    model = load_head_model(report["request"]["model"])
    options = SimpleNamespace(seed=report["request"]["seed"])
    drawn = model.sample_prior(_generator(options, "prior"), 2)  # type: ignore[arg-type]
    with HeadRenderer(model, RenderSettings(samples=2, size=96)) as renderer:
        a, b = ForwardMapping(renderer, Encoder.load("sface")).embed_heads(drawn)
    assert report["sets"]["prior"]["pairwise"]["minimum"] == pytest.approx(1 - a @ b, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), ["sface", "128", "512", "--distribution prior"]),
        (("--corrections", "1"), ["sface", "128", "512", "--distribution prior"]),
        (("--fill-gaps", "RUN"), ["sface", "128", "512", "--distribution prior"]),
        (("--distribution", "prior", "--real-latents", "FILE"), ["(3, 512)", "128"]),
        (("--distribution", "prior", "--encoder", "FILE"), ["real.npz", "ONNX"]),
    ],
)
def test_what_does_not_fit_the_encoder_is_refused_before_rendering(
    project: Path, sface_run: Path, tmp_path: Path, arguments: tuple[str, ...], named: list[str]
) -> None:
    file = tmp_path / "real.npz"
    np.savez(file, latents=np.eye(3, 512, dtype=np.float32), identity=np.arange(3))
    places = {"RUN": str(sface_run), "FILE": str(file)}
    given = [places.get(word, word) for word in arguments]
    done = _generate(project, "--encoder", "sface", *given, "--output", str(tmp_path / "out"))
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    for part in named:
        assert part in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_second_encoder_names_the_command_that_builds_it(
    project: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in (project / "models").iterdir():
        if file.is_file():
            (models / file.name).symlink_to(file)
    done = _generate(
        project, "--encoder", "sface", "--distribution", "prior", "--output",
        str(tmp_path / "out"), FACEGEN_MODELS=str(models),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    said = "sface.onnx is missing: run `sh tools/set_up.sh runtime sface`, which builds it"
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_encoder_that_has_to_agree_names_the_command_that_builds_it(
    project: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in (project / "models").iterdir():
        if file.is_file():
            (models / file.name).symlink_to(file)
    (models / "built").mkdir()
    (models / "built/facenet.onnx").symlink_to(project / "models/built/facenet.onnx")
    done = _generate(
        project, "--second-encoder", "sface", "--output", str(tmp_path / "out"),
        FACEGEN_MODELS=str(models),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    said = "sface.onnx is missing: run `sh tools/set_up.sh runtime sface`, which builds it"
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def run_in_other_hands(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "hands"
    done = _generate(
        project, "--count", "2", "--samples", "2", "--size", "96", "--distribution", "prior",
        "--distance", "0.15", "--second-encoder", "sface", "--second-distance", "0.1",
        "--apart-in", "other-hands", "--no-comparison", "--output", str(folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_in_other_hands_says_what_holds_there(run_in_other_hands: Path) -> None:
    report = json.loads((run_in_other_hands / "report.json").read_text())
    request, variety = report["request"], report["variety"]
    assert request["apart_in"] == "other-hands" and request["second_encoder"] == "sface"
    assert variety["renders_in_other_hands"] in range(variety["renders_spent"])
    first, second = variety["in_other_hands"]
    assert (first["encoder"], first["demanded"]) == ("facenet", pytest.approx(0.15))
    assert (second["encoder"], second["demanded"]) == ("sface", pytest.approx(0.1))
    assert all(one["kept"] >= one["nearest"] > 0 for one in (first, second))
    assert first["looks"] in (16.0, 64.0, 144.0)  # four crops in one, two or three renders
    page = (run_in_other_hands / "report.html").read_text()
    assert "kept by 99.9 % of pairs" in page and "<th>sface</th>" in page


def test_gaps_of_an_earlier_run_are_filled(
    project: Path, two_runs: list[Path], tmp_path: Path
) -> None:
    done = _generate(
        project, *SMALL, "--no-comparison", "--grade", "direct", "--fill-gaps",
        *map(str, two_runs), "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    gaps = report["provenance"]["gaps"]
    assert gaps["heads of earlier runs"] == 6
    assert [len(digest) for digest in gaps["sha256 of their files"]] == [64, 64]
    before, after = list(gaps.values())[-2:]
    assert 0 < after < before < 2
    assert report["variety"]["reached_distance"] >= 0.3
    # Where the earlier runs lay says nothing of the heads.
    assert str(two_runs[0]) not in json.dumps(report["request"])
    folders = tmp_path / "out", two_runs[0]
    new, old = (np.load(folder / "heads.npz")["parameters"] for folder in folders)
    assert new.tobytes() != old.tobytes()


@pytest.mark.parametrize("damage", ["other model", "truncated"])
def test_a_wrong_earlier_run_is_one_line_and_status_2(
    project: Path, two_runs: list[Path], tmp_path: Path, damage: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    path = run / "heads.npz"
    if damage == "truncated":
        path.write_bytes((two_runs[0] / "heads.npz").read_bytes()[:500])
    else:
        np.savez(path, achieved=np.eye(2, 512), model=np.array("somebody"))
    done = _generate(project, *SMALL, "--fill-gaps", str(run), "--output", str(tmp_path / "out"))
    assert done.returncode == 2, done.stderr
    assert "heads.npz" in done.stderr and "Traceback" not in done.stderr
    assert damage != "other model" or "'somebody'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_corrected_heads_stand_beside_what_they_were(project: Path, tmp_path: Path) -> None:
    done = _generate(
        project, "--count", "2", "--distance", "0.3", "--samples", "2", "--size", "96", "--grade",
        "direct", "--corrections", "2", "--no-comparison", "--output", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/report.json").read_text())
    sets = report["sets"]
    assert list(sets) == ["run", "uncorrected", "real"]
    assert sets["run"]["roundtrip"]["median"] <= sets["uncorrected"]["roundtrip"]["median"]
    assert report["variety"]["renders_spent"] >= 6
    assert report["request"]["corrections"] == 2
    assert "uncorrected" in (tmp_path / "out/report.html").read_text()
