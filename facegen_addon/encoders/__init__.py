# SPDX-License-Identifier: GPL-3.0-or-later
"""Images to latents: encoders, the face crop they see, and how FaceNet's file is built."""
