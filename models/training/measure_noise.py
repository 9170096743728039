# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the noise of renders moves latents, and what less of it costs.

    .venv/bin/python -m models.training.measure_noise --model person            # 8 heads, all WAYS
    .venv/bin/python -m models.training.measure_noise --ways "8 samples" "12 samples" --heads 2

Heads as F sees them (the face alone, one thread), each in every way of WAYS with two seeds, and as
reference once with 256 samples and the settings of `8 samples`. Costs are processor time of the
whole step, mesh and strands included, over that of `8 samples` on the same head. Prints a table in
Markdown, from which renders of `person` have their settings (docs/results/noise.md).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from facegen_addon.arrays import Float32Array, FloatArray, RealArray
from facegen_addon.choices import MEASURING_SIZE
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.errors import UserError, check_values
from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.head_model import HeadModel
from facegen_addon.heads.named_styles import styled
from facegen_addon.latent.sphere import cosine_distance
from facegen_addon.random_streams import random_stream
from facegen_addon.render_settings import RenderSettings
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain

Way = Mapping[str, Any]
"""Settings of Cycles, by Blender's names; what is not named is as F has it."""

AS_EVER = "8 samples"
REFERENCE: Way = {"samples": 256}
_REFERENCE_SEED, _FIRST_SEED = 1234, 10  # of noise: the reference has none of the others'
WAYS: dict[str, Way] = {
    AS_EVER: {"samples": 8},
    **{f"{count} samples": {"samples": count} for count in (4, 6, 12, 16, 24)},
    "8, tabulated Sobol": {"samples": 8, "sampling_pattern": "TABULATED_SOBOL"},
    "8, blue noise": {"samples": 8, "sampling_pattern": "BLUE_NOISE"},
    "8, clamped at 1": {"samples": 8, "sample_clamp_direct": 1.0, "sample_clamp_indirect": 1.0},
    "8, the same points in each pixel": {"samples": 8, "scrambling_distance": 0.0},
    "8, scrambling distance 0.3": {"samples": 8, "scrambling_distance": 0.3},
    "4 to 16, adaptive, threshold 0.1": {
        "samples": 16, "use_adaptive_sampling": True, "adaptive_threshold": 0.1,
        "adaptive_min_samples": 4,
    },
    "8, light tree": {"samples": 8, "use_light_tree": True},
    "8, one diffuse bounce": {"samples": 8, "diffuse_bounces": 1},
    "8, no diffuse bounce": {"samples": 8, "diffuse_bounces": 0},
    "8, one bounce in all": {"samples": 8, "max_bounces": 1},
    "8, two transparent bounces": {"samples": 8, "transparent_max_bounces": 2},
    "8, filter of 2 pixels": {"samples": 8, "filter_width": 2.0},
    "8, filter of 2.5 pixels": {"samples": 8, "filter_width": 2.5},
    "8, denoised as by default": {"samples": 8, "use_denoising": True},
    "4, denoised as by default": {"samples": 4, "use_denoising": True},
    **{
        f"{count}, denoised, no prefilter, {quality.lower()}": {
            "samples": count, "use_denoising": True, "denoising_prefilter": "NONE",
            "denoising_quality": quality,
        }
        for count, quality in (
            (3, "HIGH"), (4, "HIGH"), (6, "FAST"), (6, "BALANCED"), (6, "HIGH"), (8, "FAST"),
            (8, "BALANCED"), (8, "HIGH"),
        )
    },
}  # fmt: skip
_STYLES: tuple[dict[str, str], ...] = (
    {"hair": "Long Wavy"}, {"hair": "Long Straight"}, {"hair": "Buzz Cut", "beard": "short full"},
    {"hair": "Bald", "beard": "long full"}, {"hair": "Receding"}, {"hair": "Curly"},
    {"hair": "Fringe"}, {},
)  # fmt: skip
"""Of the heads of `person`, one after the other; the last is as the prior draws it."""
COLUMNS = ("rendered with", "from 256 samples", "90 %", "another seed", "cost")


See = Callable[[Annotated[FloatArray, "P"], Way, int], tuple[Annotated[RealArray, "D"], float]]
"""Parameters of a head, a way, a seed of the noise -> latent (D,), unit norm, and seconds of
processor time that mesh and render took."""


def measure(
    heads: Annotated[FloatArray, "N P"], see: See, ways: Mapping[str, Way]
) -> dict[str, FloatArray]:
    """Way -> rows (N, 4) of its heads: distances to the reference by two seeds, between these,
    and seconds; a bar tells how far it is."""
    bar, found = ProgressBar(), {name: np.zeros((len(heads), 4)) for name in ways}
    for number, row in enumerate(heads):
        truth, _ = see(row, {**ways[AS_EVER], **REFERENCE}, _REFERENCE_SEED)
        for done, (name, way) in enumerate(ways.items()):
            bar.update("render", number * len(ways) + done, len(heads) * len(ways))
            seed = _FIRST_SEED + 2 * number
            first, _ = see(row, way, seed)  # takes longer: the way is new
            second, seconds = see(row, way, seed + 1)
            pairs = ((first, truth), (second, truth), (first, second))
            found[name][number] = (*(cosine_distance(a, b) for a, b in pairs), seconds)
    bar.close()
    return found


def table(found: Mapping[str, FloatArray]) -> list[tuple[str, ...]]:
    """Cells as COLUMNS name them, a row a way, of what `measure` found."""
    usual, rows = found[AS_EVER][:, 3], []
    for name, seen in found.items():
        off, seeds, cost = seen[:, :2], np.median(seen[:, 2]), np.median(seen[:, 3] / usual)
        figures = (np.median(off), np.quantile(off, 0.9), seeds)
        rows.append((name, *(f"{x:.4f}" for x in figures), f"{cost:.2f}"))
    return rows


def varied_heads(model: HeadModel, count: int, seed: int) -> Annotated[FloatArray, "N P"]:
    """Heads (count, P): women and men, the darkest and the fairest of many, then the oldest and
    the youngest, in styles of hair and beard that differ; for a model without styles of its own,
    and beyond these, as the prior draws them."""
    drawn = model.sample_prior(random_stream(seed, "heads"), max(200, count))
    attributes = model.attributes(drawn)
    if attributes is None or not model.named_styles:
        return drawn[:count]
    sex, age, lightness = attributes.T
    woman = sex > 0.5
    usual = -np.abs(lightness - np.median(lightness))
    wanted = (
        (-lightness, woman), (lightness, woman), (-lightness, ~woman), (lightness, ~woman),
        (age, ~woman), (age, woman), (-age, ~woman), (usual, woman),
    )  # fmt: skip
    left = np.ones(len(drawn), bool)
    heads = []
    for (score, of_them), styles in zip(wanted[:count], _STYLES, strict=False):
        chosen = int(np.argmax(np.where(left & of_them, score, -np.inf)))
        left[chosen] = False
        head = drawn[chosen]
        for kind, name in styles.items():
            head = styled(model, head, kind, name)
        heads.append(head)
    return np.concatenate([np.stack(heads), drawn[left]])[:count]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 after an error that the user can put right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="person")
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--ways", nargs="+", metavar="WAY", default=list(WAYS))
    options = parser.parse_args(arguments)
    try:
        check_values(
            (
                (options.heads >= 1, "heads", options.heads, "1 or more"),
                *((way in WAYS, "way", way, f"from {', '.join(WAYS)}") for way in options.ways),
            )
        )
        rows = _measured(options)
    except UserError as error:
        print(f"measure_noise: {explain(error)}", file=sys.stderr)
        return 2
    for cells in (COLUMNS, ("---",) * len(COLUMNS), *rows):
        print(f"| {' | '.join(cells)} |")
    return 0


def _measured(options: argparse.Namespace) -> list[tuple[str, ...]]:
    import bpy

    from facegen_addon.scene.render.head_renderer import HeadRenderer

    model, encoder = load_head_model(options.model), Encoder.load(threads=1)
    ways = {name: WAYS[name] for name in (AS_EVER, *options.ways)}
    with HeadRenderer(model, RenderSettings(size=MEASURING_SIZE)) as renderer:
        renderer.extents = (encoder.extent,)
        scene = bpy.data.scenes[renderer.scene_name]
        scene.render.threads_mode, scene.render.threads = "FIXED", 1
        for name in ("denoising_prefilter", "denoising_quality"):
            scene.cycles.property_unset(name)
        scene.cycles.use_denoising = False
        usual = {name: getattr(scene.cycles, name) for way in ways.values() for name in way}

        def see(parameters: FloatArray, way: Way, seed: int) -> tuple[Float32Array, float]:
            for name, value in {**usual, **way}.items():
                setattr(scene.cycles, name, value)
            renderer.reseed(seed, face_only=True)
            start = time.process_time()
            seen = renderer.render(parameters)
            seconds = time.process_time() - start
            return encoder.embed(seen.crop_for(encoder)[None])[0], seconds

        heads = varied_heads(model, options.heads, options.seed)
        return table(measure(heads, see, ways))


if __name__ == "__main__":
    run_process(main, "measure_noise")
