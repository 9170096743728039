# SPDX-License-Identifier: GPL-3.0-or-later
"""F and B: images to latents and latents to parameters, on NumPy and ONNX Runtime alone."""
