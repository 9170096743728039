# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the render-free corrections of the roundtrip: models/corrections_MODEL.npz.

`python -m models.training.fit_corrections COMMAND`:

    talk             the talk's network B, on random pairs alone            (torch)
    render           roundtrips of people who may be learned from, each B   (bpy)
    fit              rotations, planes and networks, for each B             (torch)
    settle learned   the default of the refined grade, as the report judges

`make corrections` runs the three. Rendering is resumable: heads rendered before are kept.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

# Inversion runs its own threads, one a block of heads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from typing import Annotated

import numpy as np

from facegen_addon.arrays import Float32Array, FloatArray, IntArray, RealArray
from facegen_addon.artifacts import (
    artifact,
    index_path,
    models_folder,
    read_index_file,
    read_npz,
)
from facegen_addon.errors import UserError
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.latent.natural import NaturalFaces
from facegen_addon.latent.real_faces import load_photos, one_photo_each, split_identities
from facegen_addon.latent.sphere import (
    cosine_distance,
    log_map,
    normalise,
    procrustes_rotation,
)
from facegen_addon.mapping.backward import GRADES, BackwardMapping
from facegen_addon.mapping.correction import (
    RENDER_FREE,
    PlaneTransport,
    Rotation,
    load_correction,
)
from facegen_addon.mapping.perceptron import Perceptron
from facegen_addon.random_streams import random_stream
from facegen_addon.scene.render.view import Forward
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training import pairs, real_latents
from models.training.register import register, write_index
from models.training.render_pairs import add_render_options, render_heads
from models.training.talk_mapping import TALK_NETWORK, TalkMapping, load_bases

_FOLDS = 5
_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_PLANE_SIZES = (8, 16, 32, 64)
_TRIED = 200
_LICENCE = "GPL-3.0-or-later"
_SOURCE = "renders of this project's own heads, embedded by FaceNet"


def people_to_learn_from(count: int) -> Annotated[Float32Array, "N D"]:
    """(count, 512): one photo each of identities that may be learned from."""
    photos = load_photos()
    people = split_identities(photos.identity).fit[:count]
    return photos.latents[one_photo_each(photos.identity, people)]


class Workplace:
    """A model, its B and all the others, and where their renders lie."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.name = options, options.model
        self.table = load_head_model(self.name).table
        self.folder = models_folder(self.name) / "built" / f"corrections_{self.name}"
        self.backward = BackwardMapping.load(self.name, self.table)
        self.random_pairs = pairs.load_random_pairs(self.name, self.table)
        self.all_pairs = pairs.load_pairs(self.name, self.table, from_table=True)

    @property
    def talk_path(self) -> Path:
        """The talk's network, before it is packed."""
        return self.folder / "talk_network.npz"

    def bases(self) -> dict[str, TalkMapping]:
        """Every B under study."""
        network = Perceptron.from_arrays(read_npz(self.talk_path), TALK_NETWORK)
        return load_bases(self.backward, self.random_pairs, network)

    def roundtrips(self, base: str) -> tuple[Annotated[RealArray, "N D"], pairs.Pairs]:
        """Latents asked for and the rendered heads of one B, row by row.

        UserError unless all heads that `render` was to render are there: others stand in other
        rows than the people they were made for.
        """
        remedy = f"run `fit_corrections.py render --model {self.name}`"
        proposal = self.folder / base / pairs.PROPOSAL
        if not proposal.exists():
            raise UserError(f"no roundtrips of {base} were rendered: {remedy}")
        z = read_npz(proposal)["z"]
        parts = [z[start : start + pairs.CHUNK] for start in range(0, len(z), pairs.CHUNK)]
        paths = [pairs.chunk_path(self.folder / base, index) for index in range(len(parts))]
        done = sum(map(pairs.chunk_is_of, paths, parts))
        if done < len(parts):
            raise UserError(
                f"{len(parts) - done} of {len(parts)} chunks of {base}'s roundtrips are not"
                f" rendered yet: {remedy}"
            )
        # Chunks behind these are of an earlier, longer run.
        heads, usable = pairs.read_batch(self.folder / base)
        usable = usable[: len(z)]
        requested = people_to_learn_from(len(z))[usable]
        return requested, pairs.Pairs(heads.z[: len(z)][usable], heads.latents[: len(z)][usable])


def fit_talk_network(options: argparse.Namespace) -> None:
    """The talk's B as a network, on random pairs alone."""
    from models.training.fit_tangent_networks import fit_regression

    place, bar = Workplace(options), ProgressBar()
    network = fit_regression(
        place.random_pairs.latents, place.random_pairs.z, options.seed,
        lambda done, total: bar.update("talk's network", done, total),
    )  # fmt: skip
    pairs.save_npz(place.talk_path, **network.arrays(TALK_NETWORK))


def render(options: argparse.Namespace, forward: Forward | None = None) -> None:
    """Roundtrips of each B for `options.count` people."""
    place = Workplace(options)
    latents = people_to_learn_from(options.count)
    for name, backward in place.bases().items():
        z = pairs.quantised(backward(latents))
        # Fitting can tell by it whether all of them came back.
        pairs.save_npz(place.folder / name / pairs.PROPOSAL, z=z.astype(np.float16))
        render_heads(z, place.folder / name, options, forward)


def fit(options: argparse.Namespace) -> None:
    """Fit all corrections of all B, pack and register them."""
    place, bar = Workplace(options), ProgressBar()
    arrays = read_npz(place.talk_path)
    latents = real_latents.latents_to_invert(
        options.latents, real_latents.fit_latents(), NaturalFaces.load(),
        random_stream(options.seed, 1 << 21),
    )  # fmt: skip
    facts = {}
    for base, backward in place.bases().items():
        requested, heads = place.roundtrips(base)
        facts[base] = len(heads)
        arrays |= _rotations(base, requested, heads.latents)
        arrays |= _plane(place, base, backward, latents)
        network = _learned(place, base, backward, requested, heads, latents, bar)
        arrays |= network.arrays(f"{base}/learned/")
    path = models_folder(place.name) / f"corrections_{place.name}.npz"
    pairs.save_npz(path, **arrays)
    register(
        f"corrections_{place.name}", path, licence=_LICENCE, source=_SOURCE,
        recipe="fit_corrections.py", roundtrips=facts,
        backward=artifact(f"backward_{place.name}").sha256,
    )  # fmt: skip
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def settle(options: argparse.Namespace) -> None:
    """Enter which correction heads are sampled with; nothing is fitted."""
    name = f"corrections_{options.model}"
    load_correction(options.correction, options.model, options.grade)
    index = read_index_file(index_path(artifact(name).path))
    index[name].setdefault("default", {})[options.grade] = options.correction
    write_index(index, index_path(artifact(name).path))
    print(f"{options.model}, {options.grade}: {options.correction}")


def _rotations(base: str, requested: RealArray, achieved: RealArray) -> dict[str, RealArray]:
    """The two rotations from photos to renders, as `corrections_of` reads them."""
    ends = np.stack([normalise(rows.mean(axis=0)) for rows in (requested, achieved)])
    penalty = _best_penalty(
        len(requested),
        lambda fit, test, penalty: float(
            np.mean(
                (Rotation(_procrustes(requested[fit], achieved[fit], penalty))(requested[test])
                 - achieved[test]) ** 2
            )
        ),
    )  # fmt: skip
    return {
        f"{base}/mean_rotation/ends": ends.astype(np.float16),
        f"{base}/procrustes/rotation": _procrustes(requested, achieved, penalty).astype(np.float16),
    }


def _procrustes(a: RealArray, b: RealArray, penalty: float) -> RealArray:
    """The rotation from rows of `a` to rows of `b`, drawn towards none at all by `penalty`.

    Fewer rows than axes leave the rest of the rotation open; there nothing should turn.
    """
    anchors = np.sqrt(penalty * len(a) / a.shape[1]) * np.eye(a.shape[1])
    rotation: RealArray = procrustes_rotation(
        np.concatenate([a, anchors]), np.concatenate([b, anchors])
    )
    return rotation.astype(np.float32)


def _plane(
    place: Workplace, base: str, backward: TalkMapping, latents: RealArray
) -> dict[str, RealArray]:
    """The transport from photos into the plane of the renders that this B learnt from.

    How many axes the plane has is what the surrogates like best: they see heads, not photos.
    """
    photos = real_latents.fit_latents()
    learnt = place.random_pairs if base.startswith("talk") else place.all_pairs
    tried = latents[:_TRIED]

    def missed(transport: PlaneTransport) -> float:
        predicted = place.backward.predicted(backward(transport(tried)))
        return float(cosine_distance(tried, predicted).mean())

    planes = [PlaneTransport.between(photos, learnt.latents, size) for size in _PLANE_SIZES]
    best = min(planes, key=missed)
    return {
        f"{base}/plane/means": best.means.astype(np.float16),
        f"{base}/plane/axes": best.axes.astype(np.float16),
    }


def _learned(
    place: Workplace,
    base: str,
    backward: TalkMapping,
    requested: RealArray,
    heads: pairs.Pairs,
    latents: RealArray,
    bar: ProgressBar,
) -> Perceptron:
    """The tangent network of one B.

    It is trained through the surrogates, which stand in for F. The refined grade descends on these
    itself, so there is nothing left to be learned from them: its network learns by how much
    renders miss what they predict, and asks for as much less.
    """
    from models.training.fit_tangent_networks import fit_regression, fit_through, of_base

    module = of_base(base, place.name, place.random_pairs, place.talk_path)
    seed = place.options.seed

    def report(done: int, total: int) -> None:
        bar.update(f"learned: {base}", done, total)

    if module is not None:
        return fit_through(module, latents, place.backward, seed, report)
    predicted = place.backward.predicted(heads.z)
    miss = RenderMiss.fit(requested, predicted, heads.latents)
    at_latents = place.backward.predicted(backward(latents))
    missed = miss.expected(latents, at_latents) - at_latents
    steps = log_map(latents, normalise(latents - missed))
    return fit_regression(latents, steps.astype(np.float32), seed, report)


class RenderMiss:
    """Difference of renders from what surrogates predict: a ridge regression in latent space."""

    def __init__(
        self, weights: Annotated[FloatArray, "W D"], offset: Annotated[RealArray, "D"]
    ) -> None:
        self.weights, self.offset = weights, offset

    @classmethod
    def fit(
        cls,
        requested: Annotated[RealArray, "N D"],
        predicted: Annotated[RealArray, "N D"],
        rendered: Annotated[RealArray, "N D"],
    ) -> RenderMiss:
        """Fit to roundtrips (N, 512) each; the penalty is what left-out ones like best."""
        inputs, target = np.hstack([requested, predicted]), rendered - predicted

        def error(fit: IntArray, test: IntArray, penalty: float) -> float:
            found = cls._solve(inputs[fit], target[fit], penalty)
            return float(np.mean((inputs[test] @ found[0] + found[1] - target[test]) ** 2))

        return cls(*cls._solve(inputs, target, _best_penalty(len(inputs), error)))

    @staticmethod
    def _solve(inputs: RealArray, target: RealArray, penalty: float) -> tuple[RealArray, RealArray]:
        centre, offset = inputs.mean(axis=0), target.mean(axis=0)
        rows = (inputs - centre).astype(np.float64)
        # As many unknowns as rows at most: the dual form.
        gram = rows @ rows.T
        gram[np.diag_indices_from(gram)] += 30 * penalty * np.trace(gram) / len(gram)
        weights = rows.T @ np.linalg.solve(gram, target - offset)
        return weights, offset - centre @ weights

    def expected(
        self, requested: Annotated[RealArray, "N D"], predicted: Annotated[RealArray, "N D"]
    ) -> Annotated[Float32Array, "N D"]:
        """Latents (N, D) of unit norm that renders are expected to have."""
        moved = predicted + np.hstack([requested, predicted]) @ self.weights + self.offset
        result: RealArray = normalise(moved).astype(np.float32)
        return result


def _best_penalty(count: int, error: Callable[[IntArray, IntArray, float], float]) -> float:
    """The penalty with the least error(fit rows, test rows, penalty), summed over the folds."""
    fold = np.arange(count) % _FOLDS

    def total(penalty: float) -> float:
        return sum(
            error(np.flatnonzero(fold != k), np.flatnonzero(fold == k), penalty)
            for k in range(_FOLDS)
        )

    return min(_PENALTIES, key=total)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    talk = commands.add_parser("talk", help="the talk's network B")
    talk.set_defaults(run=fit_talk_network)
    rendering = commands.add_parser("render", help="roundtrips to learn from")
    rendering.add_argument("--count", type=pairs.positive, default=200, help="people, for each B")
    rendering.set_defaults(run=render)
    fitting = commands.add_parser("fit", help="rotations and networks")
    fitting.add_argument("--latents", type=pairs.positive, default=4000, help="to train on")
    fitting.set_defaults(run=fit)
    settling = commands.add_parser("settle", help="choose the default that the report favours")
    settling.add_argument("correction", choices=RENDER_FREE)
    settling.add_argument("--grade", choices=GRADES, default="refined")
    settling.set_defaults(run=settle)
    for command in (talk, rendering, fitting, settling):
        add_render_options(command)
        command.add_argument("--seed", type=int, default=0)
    return parser


def main(arguments: list[str] | None = None, forward: Forward | None = None) -> int:
    """Run one step; 2 after an error that the user can put right, 130 after Ctrl-C.

    `forward` replaces rendering.
    """
    try:
        options = make_parser().parse_args(arguments)
        options.model = pairs.model_name(options.model)
        options.run(options, *([forward] if options.run is render else []))
    except UserError as error:
        print(f"fit_corrections: {explain(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fit_corrections: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    run_process(main, "fit_corrections")
