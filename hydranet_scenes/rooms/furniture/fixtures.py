"""Fixtures of a room: radiators, fireplaces, pillars and ceiling lamps."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms import textures
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture.parts import add_lampshade
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece


def radiator(kit: MaterialKit, w: float) -> Piece:
    """Return a ribbed radiator of width ``w``."""
    piece, material, N = kit.piece(), kit.white, Nyud.OTHERSTRUCTURE
    piece.box(N, material, (-w / 2, 0.06, 0.16), (w / 2, 0.08, 0.58))
    for x in np.arange(-w / 2 + 0.02, w / 2, 0.055):
        piece.box(N, material, (x, 0.03, 0.12), (x + 0.03, 0.12, 0.62))
    for x in (-w / 2 + 0.05, w / 2 - 0.05):
        piece.rod(N, material, (x, 0.07, 0), (x, 0.07, 0.2), 0.012)
    return piece


def fireplace(kit: MaterialKit, height: float) -> Piece:
    """Return a fireplace with a chimney of ``height`` meters."""
    piece, N = kit.piece(), Nyud.OTHERSTRUCTURE
    color = textures.pick_color(kit.rng, ((150, 80, 60), (190, 185, 175)))
    material = kit.textured(textures.tiles(kit.rng, color))
    for x in (-0.7, 0.4):
        piece.box(N, material, (x, 0, 0), (x + 0.3, 0.35, 0.75))
    piece.box(N, material, (-0.7, 0, 0.75), (0.7, 0.35, 1.1))
    piece.box(N, kit.dark, (-0.4, 0, 0), (0.4, 0.06, 0.75))
    piece.box(N, kit.wood(), (-0.8, 0, 1.1), (0.8, 0.42, 1.16))
    piece.box(N, material, (-0.55, 0, 1.16), (0.55, 0.25, height))
    return piece


def pillar(kit: MaterialKit, height: float, material: str) -> Piece:
    """Return a rectangular pillar at a wall."""
    piece, w, d = kit.piece(), kit.rng.uniform(0.25, 0.6), kit.rng.uniform(0.2, 0.45)
    piece.box(Nyud.OTHERSTRUCTURE, material, (-w / 2, 0, 0), (w / 2, d, height))
    return piece


def ceiling_lamp(kit: MaterialKit, kind: str, drop: float) -> Piece:
    """
    Return a ceiling lamp whose top is at z = 0.

    :param kind: ``panel``, ``dome`` or ``pendant``.
    :param drop: length of the cord of a pendant in meters.
    """
    piece, rng, N = kit.piece(), kit.rng, Nyud.LAMP
    if kind == 'panel':
        piece.box(N, kit.gray, (-0.62, -0.17, -0.06), (0.62, 0.17, 0.0))
        piece.box(N, kit.lampshade, (-0.6, -0.15, -0.065), (0.6, 0.15, -0.06))
        piece.add_light((0, 0, -0.08))
    elif kind == 'dome':
        r = rng.uniform(0.14, 0.22)
        arc = np.linspace(0.02, np.pi / 2, 8)
        profile = np.stack([r * np.sin(arc), -0.1 * np.cos(arc) - 0.005], 1)
        piece.lathe(N, kit.lampshade, [*profile, (0, 0.0)])
        piece.add_light((0, 0, -0.13))
    else:
        piece.rod(N, kit.dark, (0, 0, -drop), (0, 0, 0), 0.006)
        add_lampshade(kit, piece, (0, 0, -drop - 0.2), rng.uniform(0.16, 0.26), 0.22)
        piece.light_positions[:] = [np.array([0, 0, -drop - 0.23])]
    return piece
