# SPDX-License-Identifier: GPL-3.0-or-later
"""L, the latent space: unit vectors on the sphere, where real faces live there, and figures."""
