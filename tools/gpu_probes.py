# SPDX-License-Identifier: GPL-3.0-or-later
"""What tools.gpu_check measures in processes of their own, which may end with a driver.

    python -m tools.gpu_probes devices OUT                   what Cycles finds
    python -m tools.gpu_probes render DEVICE ENGINE N OUT    seconds of N heads, latents, labels
    python -m tools.gpu_probes encode cpu|cuda N OUT         N crops at once: images a second
    python -m tools.gpu_probes backward cpu|cuda N OUT       N latents at once: heads a second

OUT is a JSON file; arrays lie beside it as .npz.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegen_addon.arrays import AnyArray
from facegen_addon.artifacts import load_onnx, providers_of
from facegen_addon.choices import MEASURING_SAMPLES, MEASURING_SIZE
from facegen_addon.encoders.encoder import Encoder
from facegen_addon.heads.catalogue import DEFAULT_MODEL, load_head_model
from facegen_addon.labels.shot import Shot, View
from facegen_addon.latent.sphere import normalise
from facegen_addon.onnx_runtime import onnx_runtime
from facegen_addon.random_streams import random_stream
from facegen_addon.render_settings import RenderSettings
from facegen_addon.terminal.process import run_process, status_of

_ROUNDS = 5  # after one that is not counted
_LABELLED = 2  # samples with labels

Facts = dict[str, Any]
Arrays = dict[str, AnyArray]


def devices() -> tuple[Facts, Arrays]:
    """What there is."""
    import bpy

    from facegen_addon.scene.render.devices import find_devices, use_device

    runtime = onnx_runtime()
    return {
        "Blender": bpy.app.version_string,
        "ONNX Runtime": runtime.__version__,
        "providers": runtime.get_available_providers(),
        "devices": find_devices(),
        "auto": use_device(),
    }, {}


def render(device: str, engine: str, count: str) -> tuple[Facts, Arrays]:
    """F on heads that are always the same, and the labels of some."""
    import bpy

    from facegen_addon.scene.render.devices import use_device
    from facegen_addon.scene.render.forward import ForwardMapping
    from facegen_addon.scene.render.head_renderer import HeadRenderer
    from facegen_addon.scene.render.sample_renderer import SampleRenderer, SampleSettings

    bpy.ops.wm.read_factory_settings(use_empty=True)
    name = use_device(device)
    model = load_head_model(DEFAULT_MODEL)
    heads = model.sample_prior(random_stream("gpu check"), int(count))
    settings = RenderSettings(
        engine=engine, samples=MEASURING_SAMPLES.default, size=MEASURING_SIZE, device=device
    )
    with HeadRenderer(model, settings) as renderer:
        mapping = ForwardMapping(renderer, Encoder.load())
        first = _timed(lambda: mapping.embed_heads(heads[:1]))
        marks = [time.perf_counter()]
        latents = mapping.embed_heads(heads, lambda *_: marks.append(time.perf_counter()))
    arrays: Arrays = {"latents": latents}
    if engine == "CYCLES":
        sample = SampleSettings(samples=1, width=256, height=256, device=device)
        with SampleRenderer(model, sample) as labelled:
            for number, head in enumerate(heads[:_LABELLED]):
                rendered = labelled.render(Shot(head, View(yaw=0.3 * number)))
                for kind, labels in (("map", rendered.maps), ("point", rendered.landmarks)):
                    for part, values in vars(labels).items():
                        arrays[f"{kind} {part} {number}"] = values
    return {"device": name, "first": first, "seconds": np.diff(marks).tolist()}, arrays


def encode(device: str, count: str) -> tuple[Facts, Arrays]:
    """The encoder on noise: it is as quick as on faces."""
    encoder = Encoder.load(device=device)
    shape = (int(count), encoder.image_size, encoder.image_size, 3)
    crops = random_stream("gpu crops").integers(0, 256, shape, np.uint8)
    latents = encoder.embed(crops)
    seconds = [_timed(lambda: encoder.embed(crops)) for _ in range(_ROUNDS)]
    return {"per_second": int(count) / float(np.median(seconds))}, {"latents": latents}


def backward(device: str, count: str) -> tuple[Facts, Arrays]:
    """B's network, by which heads are found in one step."""
    session = load_onnx(f"backward_{DEFAULT_MODEL}", providers=providers_of(device))
    port = session.get_inputs()[0]
    rows = random_stream("gpu latents").standard_normal((int(count), int(port.shape[1])))
    latents = normalise(rows).astype(np.float32)
    (found, *_) = session.run(None, {port.name: latents})
    seconds = [_timed(lambda: session.run(None, {port.name: latents})) for _ in range(_ROUNDS)]
    return {"per_second": int(count) / float(np.median(seconds))}, {"parameters": found}


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


PROBES: dict[str, Callable[..., tuple[Facts, Arrays]]] = {
    probe.__name__: probe for probe in (devices, render, encode, backward)
}


def main(arguments: Sequence[str]) -> int:
    """Do one; the exit status."""
    name, *own, out = arguments
    facts, arrays = PROBES[name](*own)
    np.savez(Path(out).with_suffix(".npz"), **arrays)
    Path(out).write_text(json.dumps(facts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_process(lambda: status_of(lambda: main(sys.argv[1:])))
