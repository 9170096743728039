# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmark network's training, small: what it learns from, that it learns, and its file."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from facegen_addon.choices import DISTRIBUTIONS
from facegen_addon.encoders.face_crop import resize_bilinear
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.labels.camera import Camera, middle_of_face
from facegen_addon.labels.label_points import LabelPoints
from facegen_addon.labels.shot import View
from facegen_addon.photo.landmark_network import SIDE, LandmarkNetwork
from facegen_addon.random_streams import random_stream
from models.training.landmarks.augmentation import augmented, plain_batch
from models.training.landmarks.by_distribution import cells_of, table
from models.training.landmarks.learning import Course, learn, loss_of, standard_of
from models.training.landmarks.learning_set import MODEL, LearningSet, mirror_of, partners
from models.training.landmarks.make_set import recipe_of
from models.training.landmarks.network import LandmarkNet
from models.training.landmarks.write_network import write_landmark_network

COUNT, PIXELS = 24, 96


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def small() -> LearningSet:
    """Heads of the prior in several views; the image has a blot at each of the 68 landmarks."""
    model, rng = load_head_model(MODEL), random_stream(5)
    rows = model.sample_prior(rng, COUNT)
    rows[:, model.table.index("jawOpen")] = rng.uniform(0, 1, COUNT)
    vertices, mirror, points = model.forward(rows), mirror_of(model), LabelPoints.of(model)
    images, seen, mirrored, five, rotations = [], [], [], [], []
    for each in vertices:
        view = View(yaw=rng.normal(0, 0.3), pitch=rng.normal(0, 0.1), roll=rng.normal(0, 0.1))
        own = model.five_points(each)
        camera = Camera.of(view, middle_of_face(own), PIXELS, PIXELS)
        seen.append(camera.project(points.read(each)))
        mirrored.append(camera.project(points.read(each[mirror])))
        five.append(camera.project(own))
        rotations.append(camera.rotation)
        images.append(_blots(seen[-1][:68]))
    return LearningSet(
        np.stack(images), *(np.array(x, np.float32) for x in (seen, mirrored, five, rotations)),
        rows.astype(np.float32), np.zeros((COUNT, 512), np.float32), np.arange(COUNT),
        np.zeros(COUNT, np.intp),
    )  # fmt: skip


def _blots(points: np.ndarray) -> np.ndarray:
    image = np.full((PIXELS, PIXELS, 3), 40, np.uint8)
    for x, y in np.clip(points.astype(int), 1, PIXELS - 2):
        image[y - 1 : y + 2, x - 1 : x + 2] = 230
    return resize_bilinear(image, PIXELS, PIXELS)


def test_recipes_differ_by_the_distribution_alone() -> None:
    recipes = [tomllib.loads(recipe_of(distribution)) for distribution in DISTRIBUTIONS]
    assert [recipe["heads"].pop("distribution") for recipe in recipes] == list(DISTRIBUTIONS)
    assert recipes[0] == recipes[1] == recipes[2]


def test_mirrored_labels_are_those_of_the_mirrored_head(small: LearningSet) -> None:
    # In a mirror the outer corner of the one eye is that of the other.
    assert np.abs(small.mirrored[:, 36] - small.points[:, 45]).max() < 1.0
    assert np.abs(small.mirrored[:, 30] - small.points[:, 30]).max() < 1.0
    names = load_head_model(MODEL).table.names
    found = partners(names)
    assert names[found[names.index("mouthSmileLeft")]] == "mouthSmileRight"
    assert found[names.index("nose_hump_incr")] == names.index("nose_hump_incr")
    assert found[names.index("eye_scale_incr_asymmetry")] == -1


def test_augmented_labels_lie_on_what_the_image_shows(small: LearningSet) -> None:
    standard = standard_of(small)
    for batch in (plain_batch(small, standard), augmented(small, standard, random_stream(1))):
        pixels = ((batch.points[:, :68] + 1) * SIDE / 2).long().clamp(0, SIDE - 1)
        grey = batch.images.mean(1)
        contrast = []
        for image, places in zip(grey, pixels, strict=True):
            there = image[places[:, 1], places[:, 0]].mean()
            contrast.append(float((there - image.mean()) / image.std()))
        assert np.median(contrast) > 1.0


@pytest.mark.slow
def test_it_learns_more_than_the_mean(small: LearningSet) -> None:
    standard = standard_of(small)
    batch = plain_batch(small, standard)
    network = learn(small, standard, Course(passes=60, batch=12))
    start = LandmarkNet(batch.points.mean(0), len(standard.columns)).eval()
    with torch.no_grad():
        before, after = start(batch.images, batch.latents), network(batch.images, batch.latents)
    away = [(answer.points - batch.points).norm(dim=-1).mean() for answer in (before, after)]
    assert away[1] < 0.6 * away[0]
    assert loss_of(after, batch) < loss_of(before, batch)


def test_the_file_says_what_the_network_says(small: LearningSet, tmp_path: Path) -> None:
    torch.manual_seed(2)
    standard = standard_of(small)
    batch = plain_batch(small, standard)
    network = LandmarkNet(batch.points.mean(0), len(standard.columns))
    network(batch.images, torch.randn(COUNT, 512))  # statistics of the normalisations
    network.eval()
    names = load_head_model(MODEL).table.names
    paths = [tmp_path / "one.onnx", tmp_path / "two.onnx"]
    for path in paths:
        write_landmark_network(network, standard, names, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    session = LandmarkNetwork.of(paths[0].read_bytes(), paths[0], threads=1).session
    latents = random_stream(4).standard_normal((COUNT, 512)).astype(np.float32) / 20
    said = session.run(None, {"image": batch.images.numpy(), "latent": latents})
    with torch.no_grad():
        answer = network(batch.images, torch.from_numpy(latents))
    expected = (
        answer.points.numpy(), np.exp(answer.log_spread.numpy()), answer.rotation.numpy(),
        answer.parameters.numpy() * standard.spread + standard.mean,
        np.exp(answer.parameter_log_spread.numpy()) * standard.spread,
    )  # fmt: skip
    for ours, theirs in zip(said, expected, strict=True):
        # Weights are stored in half precision.
        assert np.abs(ours - theirs).max() < 5e-3 * max(1.0, float(np.abs(theirs).max()))


def test_distributions_take_turns_and_a_stopped_run_goes_on(
    small: LearningSet, tmp_path: Path
) -> None:
    cells = cells_of([6], seeds=1)
    assert [cell.distribution for cell in cells] == list(DISTRIBUTIONS)
    place, number = np.arange(COUNT) % 3, np.arange(COUNT) // 3
    head = np.where(number % 4 == 3, 7 + 8 * number, 8 * number)  # two of eight are held out
    data = replace(small, distribution=place, head=head)
    first = table(data, cells, tmp_path, steps=2).splitlines()
    rows = [line.split(" | ") for line in first if line.startswith(tuple(_starts()))]
    assert len(rows) == 3
    for row in rows:
        landmarks, shape = (float(part) for part in row[3].split(" / "))
        # Two heads that are nearly alike in a parameter make its standard deviation small.
        assert 0 < landmarks < 2 and 0 < shape < np.inf
    files = {cell.path(tmp_path) for cell in cells}
    before = {path: path.read_bytes() for path in files}
    next(iter(files)).unlink()
    assert table(data, cells, tmp_path, steps=2).splitlines() == first
    assert {path: path.read_bytes() for path in files} == before
    with pytest.raises(UserError, match="6 images of latent are there: make more"):
        table(data, cells_of([9], seeds=1), tmp_path, steps=2)


def _starts() -> list[str]:
    return [f"| {name} |" for name in DISTRIBUTIONS]
