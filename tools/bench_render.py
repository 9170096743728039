# SPDX-License-Identifier: GPL-3.0-or-later
"""What FaceGen adds to what it drives, as ratios measured in one run: `make bench`.

    python -m tools.bench_render              20 heads
    python -m tools.bench_render --heads 50

Each pair of lines runs in turn, head by head, so that a machine that slows down slows both alike.
"""

import argparse
from collections.abc import Callable
from functools import partial

import bpy
import numpy as np

from facegen_addon.encoders.encoder import Encoder
from facegen_addon.heads.catalogue import DEFAULT_FLAME, load_head_model
from facegen_addon.render_settings import RenderSettings
from facegen_addon.scene.render.head_renderer import HeadRenderer
from facegen_addon.terminal.process import run_process
from tools.timing import print_ratio, timed


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=20)
    count = max(3, parser.parse_args().heads)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    encoder = Encoder.load()
    for model in map(load_head_model, ("person", DEFAULT_FLAME)):
        heads = model.sample_prior(np.random.default_rng(0), count)
        with HeadRenderer(model, RenderSettings(samples=8, device="CPU")) as renderer:
            ours, bare, crops = _render(renderer, encoder, heads)
        print_ratio(f"render a new {model.name}", ours, "Cycles on an unchanged scene", bare)
    single, batch = _forward(model.forward, heads)
    print_ratio("vertices, one by one", single, "in one batch", batch)
    embed, session = _embed(encoder, np.stack(crops))
    print_ratio("embed with our encoder", embed, "ONNX Runtime alone", session)
    return 0


def _render(
    renderer: HeadRenderer, encoder: Encoder, heads: np.ndarray
) -> tuple[list[float], list[float], list[np.ndarray]]:
    """Seconds of our whole step and of a bare Cycles call on the scene it leaves, per head."""
    ours, bare, crops = [], [], []
    renderer.render(heads[0])
    for parameters in heads:
        seconds, rendered = timed(partial(renderer.render, parameters))
        ours.append(seconds)
        crops.append(rendered.crop_for(encoder))
        bare.append(timed(partial(bpy.ops.render.render, scene=renderer.scene_name))[0])
    return ours, bare, crops


def _forward(
    forward: Callable[[np.ndarray], np.ndarray], heads: np.ndarray
) -> tuple[list[float], list[float]]:
    single = [timed(partial(forward, row))[0] for row in heads]
    return single, [timed(partial(forward, heads))[0] / len(heads) for _ in heads]


def _embed(encoder: Encoder, crops: np.ndarray) -> tuple[list[float], list[float]]:
    port = encoder.session.get_inputs()[0].name
    ready = ((crops.astype(np.float32) - 127.5) / 128).transpose(0, 3, 1, 2).copy()
    ours, bare = [], []
    for index in range(len(crops)):
        part = slice(index, index + 1)
        ours.append(timed(partial(encoder.embed, crops[part]))[0])
        bare.append(timed(partial(encoder.session.run, None, {port: ready[part]}))[0])
    return ours, bare


if __name__ == "__main__":
    run_process(main, "bench_render")
