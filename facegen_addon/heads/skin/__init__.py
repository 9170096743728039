# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin in texture space: parameters -> albedo, roughness and relief of any layout of texels."""
