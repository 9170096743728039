# SPDX-License-Identifier: GPL-3.0-or-later
"""Teach the landmark network and write models/landmark_network.onnx.

    .venv-recipes/bin/python -m models.training.landmarks.train            # from out/landmarks

Heads of three distributions teach it; one in eight of each is held out. Errors on those are printed
as a table, and models.training.landmarks.judge looks at photos.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from facegen_addon.artifacts import models_directory
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.photo.landmark_network import NETWORK
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training.landmarks.learning import Course, learn, standard_of
from models.training.landmarks.learning_set import MODEL, LearningSet
from models.training.landmarks.make_set import DEFAULT_FOLDER
from models.training.landmarks.write_network import write_landmark_network
from models.training.register import register


def train(folder: Path, output: Path, course: Course) -> None:
    """Teach a network by the shards below `folder` and write it."""
    data = LearningSet.read(folder)
    learnt = data[~data.held_out]
    print(
        f"{len(learnt)} images to learn from, {len(data) - len(learnt)} held out", file=sys.stderr
    )
    standard = standard_of(learnt)
    bar = ProgressBar()
    try:
        network = learn(
            learnt,
            standard,
            course,
            lambda done, total, loss: bar.update(f"learn {loss:7.3f}", done, total),
        )
    finally:
        bar.close()
    write_landmark_network(network, standard, load_head_model(MODEL).table.names, output)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--passes", type=int, default=Course.passes, help="over the images")
    parser.add_argument("--output", type=Path, help="default: models/landmark_network.onnx")
    options = parser.parse_args(arguments)
    # Beside other processes several threads only wait for one another.
    torch.set_num_threads(1)
    output = options.output or models_directory() / f"{NETWORK}.onnx"
    try:
        train(options.folder, output, Course(passes=options.passes))
        if options.output is None:
            register(
                NETWORK, output, licence="GPL-3.0-or-later",
                source="renders of this project's own heads, embedded by FaceNet",
                recipe="landmarks/train.py",
            )  # fmt: skip
    except UserError as error:
        print(f"train: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "train")
