# SPDX-License-Identifier: GPL-3.0-or-later
import re
from pathlib import Path

import pytest

from batch import run
from batch.dataset.options import parse_options
from facegen_addon.errors import UserError


def test_defaults_make_all_of_it_as_is_fastest() -> None:
    options = parse_options(["--recipe", "photos"])
    assert options.shard == (0, 1) and options.is_whole
    assert options.workers is None and options.threads is None
    assert options.count == 1000 and options.shard_size == 500 and options.log_json is None


def test_a_part_leaves_closing_to_merge() -> None:
    options = parse_options(["--recipe", "photos", "--shard", "0/1"])
    assert options.shard == (0, 1) and not options.is_whole
    assert parse_options(["--recipe", "photos", "--shard", "2/16"]).shard == (2, 16)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--shard", "4/4"], r"--shard 4/4: shards count from 0; give 0/4 to 3/4"),
        (["--shard", "0/0"], r"--shard 0/0.*0/4 to 3/4"),
        (["--shard", "1of4"], r"--shard '1of4'"),
        (["--shard", "-1/4"], r"--shard"),
        (["--shard", "0.5/4"], r"--shard '0\.5/4'"),
        (["--count", "0"], r"--count 0"),
        (["--count", "1000001"], r"--count 1000001"),
        (["--count", "many"], r"--count"),
        (["--seed", "-1"], r"--seed -1"),
        (["--shard-size", "0"], r"--shard-size 0"),
        (["--workers", "0"], r"--workers 0"),
        (["--threads", "0"], r"--threads 0"),
        (["--timeout", "0"], r"--timeout 0"),
        (["--timeout", "nan"], r"--timeout nan"),
        (["--device", "TPU"], r"--device"),
        (["--encoder-device", "tpu"], r"--encoder-device"),
        (["--model", "nobody"], r"nobody"),
        (["--resume", "--replace"], r"--resume.*--replace"),
        (["--replace", "--shard", "0/2"], r"--replace"),
        (["--recipes", "photos"], r"--recipes"),
    ],
)
def test_a_wrong_value_is_one_line(arguments: list[str], named: str) -> None:
    with pytest.raises(UserError, match=named) as caught:
        parse_options(["--recipe", "photos", *arguments])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", ["--resume", "--shard", "--workers", "--log-json", "--timeout"])
def test_options_of_data_sets_name_what_is_missing(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["generate", option, "0/2"]) == 2
    assert f"{option} is of labelled data sets: use `dataset make" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["fotos", "missing.toml", "."])
def test_a_recipe_that_is_none_exits_with_2(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "data"
    assert run.main(["dataset", "make", "--recipe", recipe, "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert recipe in error and len(error.splitlines()) == 1
    assert not output.exists()


@pytest.mark.parametrize(
    ("encoder", "trained", "named"),
    [("sface", True, r"sface gives latents of 128.*\[heads\]"), ("facenet", False, "no B.*prior")],
)
def test_heads_of_latents_need_b_and_its_encoder(
    encoder: str,
    trained: bool,
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("batch.dataset.generate.is_trained", lambda name: trained)
    recipe, output = tmp_path / "guided.toml", tmp_path / "data"
    recipe.write_text(f'[heads]\nencoder = "{encoder}"\n')
    assert run.main(["dataset", "make", "--recipe", str(recipe), "--output", str(output)]) == 2
    assert re.search(named, capsys.readouterr().err) and not output.exists()


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["dataset", "make", "--recipe", "photos", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text and "--shard 3/16 --resume" in text and "(default: 500)" in text


def test_render_workers_are_not_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FACEGEN_POOL_PIPE", raising=False)
    assert run.main(["render-worker"]) == 2
    assert "dataset make" in capsys.readouterr().err
