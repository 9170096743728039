# SPDX-License-Identifier: GPL-3.0-or-later
"""A models folder of its own, a synthetic head model in the catalogue, synthetic real faces."""

import json
import os
from pathlib import Path

# Before torch starts its threads: spinning ones are ten times slower on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest

from facegen_addon.heads import catalogue
from tests.anybody import Anybody
from tests.training.synthetic import SyntheticForward, SyntheticHead, synthetic_table


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> SyntheticHead:
    model = SyntheticHead(synthetic_table())
    monkeypatch.setitem(catalogue.HEAD_MODELS, model.name, lambda: model)
    catalogue.forget_models()
    return model


@pytest.fixture
def forward(head: SyntheticHead) -> SyntheticForward:
    return SyntheticForward(head.table)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "index.json").write_text(json.dumps({}))
    monkeypatch.setenv("FACEGEN_MODELS", str(tmp_path))
    return tmp_path


class SyntheticNature(Anybody):
    """Stands in for NaturalFaces: latents of heads of the prior."""

    def __init__(self, head: SyntheticHead, forward: SyntheticForward) -> None:
        self._head, self._forward = head, forward

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return self._forward(self._head.sample_prior(rng, n))


@pytest.fixture
def nature(head: SyntheticHead, forward: SyntheticForward) -> SyntheticNature:
    return SyntheticNature(head, forward)
