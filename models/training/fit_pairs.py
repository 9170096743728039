# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit surrogates to a file of pairs; `expectation.py` calls this where torch is.

    python -m models.training.fit_pairs PAIRS.npz SURROGATES.npz --epochs 40

PAIRS.npz has z (N, F) and latents (N, 512). The file that is written is as
SurrogateEnsemble.from_arrays takes it, with `miss`, the held-out median cosine distance.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# As in train_backward.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from facegen_addon.artifacts import read_npz
from facegen_addon.errors import UserError
from facegen_addon.terminal.process import run_process
from facegen_addon.terminal.progress import ProgressBar
from facegen_addon.terminal.remedies import explain
from models.training import pairs


def run(options: argparse.Namespace) -> None:
    """Fit and write."""
    # Imported here: everything else does without torch.
    from models.training.fit_surrogates import SurrogateOptions, fit_surrogates

    stored = read_npz(options.pairs)
    data = pairs.Pairs(stored["z"], stored["latents"])
    bar = ProgressBar()
    # As the published table was made, by pairs alone.
    shape = SurrogateOptions(width=options.width, epochs=options.epochs, taught=0)
    ensemble, miss = fit_surrogates(
        data, shape, report=lambda i, n: bar.update(options.surrogates.stem, i, n)
    )
    pairs.save_npz(options.surrogates, **ensemble.arrays(), miss=np.array(miss))


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", type=Path)
    parser.add_argument("surrogates", type=Path)
    parser.add_argument("--epochs", type=pairs.positive, default=40)
    parser.add_argument("--width", type=pairs.positive, default=768)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Fit; 2 after an error that the user can put right."""
    try:
        run(make_parser().parse_args(arguments))
    except UserError as error:
        print(f"fit_pairs: {explain(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    run_process(main, "fit_pairs")
