"""Items and people on the floor: lamps, plants, boxes, bags, bins, mats, clothes."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms import textures
from hydranet_scenes.rooms.classes import Nyud
from hydranet_scenes.rooms.furniture.parts import add_lampshade
from hydranet_scenes.rooms.furniture.small_items import clothes_heap
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece, rotation_matrix
from hydranet_scenes.rooms.textures import random_color


def floor_lamp(kit: MaterialKit) -> Piece:
    """Return a lit floor lamp."""
    piece, h = kit.piece(), kit.rng.uniform(1.3, 1.65)
    piece.lathe(Nyud.LAMP, kit.metal, [(0, 0), (0.14, 0), (0.13, 0.03), (0, 0.035)], (0, 0.22, 0))
    piece.rod(Nyud.LAMP, kit.metal, (0, 0.22, 0.02), (0, 0.22, h), 0.012)
    radius, height = kit.rng.uniform(0.15, 0.21), kit.rng.uniform(0.2, 0.3)
    add_lampshade(kit, piece, (0, 0.22, h - 0.02), radius, height)
    return piece


def plant(kit: MaterialKit) -> Piece:
    """Return a potted plant."""
    piece, rng = kit.piece(), kit.rng
    r, h = rng.uniform(0.11, 0.18), rng.uniform(0.2, 0.35)
    pot = [(0, 0), (r * 0.7, 0), (r, h), (r * 0.9, h), (0, h - 0.02)]
    piece.lathe(Nyud.OTHERPROP, kit.any_color(), pot, (0, 0.3, 0))
    leaf_length = rng.uniform(0.25, 0.8)
    for _ in range(int(rng.integers(14, 30))):
        angle, lean = rng.uniform(0, 360), rng.uniform(5, 55)
        length = rng.uniform(0.5, 1.0) * leaf_length
        rotation = rotation_matrix(y=lean, z=angle)
        tip = rotation @ np.array([0, 0, length])
        reach = max(abs(tip[0]), abs(tip[1]))
        tip[:2] *= min(1.0, 0.24 / max(reach, 1e-6))
        piece.rod(Nyud.OTHERPROP, kit.leaf, (0, 0.3, h - 0.02), (tip[0], 0.3 + tip[1], h + tip[2]),
                  0.006)  # fmt: skip
        piece.ball(Nyud.OTHERPROP, kit.leaf, (tip[0], 0.3 + tip[1], h + tip[2]),
                   (0.05, 0.05, rng.uniform(0.05, 0.1)))  # fmt: skip
    return piece


def boxes(kit: MaterialKit) -> Piece:
    """Return a stack of one to three cardboard boxes."""
    piece, z = kit.piece(), 0.0
    w, d = kit.rng.uniform(0.3, 0.55), kit.rng.uniform(0.25, 0.4)
    for _ in range(int(kit.rng.integers(1, 4))):
        h = kit.rng.uniform(0.15, 0.38)
        piece.block(Nyud.BOX, kit.cardboard(), (0, 0.3, z + h / 2), (w, d, h), stretch=True,
                    rotation=rotation_matrix(z=kit.rng.normal(0, 5)))  # fmt: skip
        z += h
        w, d = w * 0.92, d * 0.92
    return piece


def bag(kit: MaterialKit) -> Piece:
    """Return a bag with a front pocket and a handle."""
    piece, rng = kit.piece(), kit.rng
    w, d, h = rng.uniform(0.26, 0.4), rng.uniform(0.14, 0.24), rng.uniform(0.28, 0.46)
    material = kit.plain(random_color(rng) * 0.6) if rng.random() < 0.5 else kit.fabric()
    piece.cushion(Nyud.BAG, material, (-w / 2, 0.05, 0), (w / 2, 0.05 + d, h), 0.5)
    piece.cushion(Nyud.BAG, material, (-w * 0.35, 0.02 + d, 0.03),
                  (w * 0.35, 0.11 + d, h * 0.55), 0.5)  # fmt: skip
    points = [(w * 0.2 * np.cos(a), 0.05 + d / 2, h * 0.94 + 0.12 * np.sin(a))
              for a in np.linspace(0, np.pi, 7)]  # fmt: skip
    for start, end in zip(points, points[1:]):
        piece.rod(Nyud.BAG, kit.dark, start, end, 0.012, kind='capsule')
    return piece


def clothes_on_floor(kit: MaterialKit) -> Piece:
    """Return a heap of clothes."""
    piece = kit.piece()
    clothes_heap(kit, piece, 0, 0.4, 0.0, 0.5)
    return piece


def waste_bin(kit: MaterialKit) -> Piece:
    """Return a waste bin or a laundry basket."""
    piece, rng = kit.piece(), kit.rng
    r, h = rng.uniform(0.12, 0.22), rng.uniform(0.28, 0.6)
    profile = [(0, 0), (r * 0.8, 0), (r, h), (r - 0.01, h), (r * 0.78, 0.02), (0, 0.02)]
    piece.lathe(Nyud.OTHERPROP, kit.any_color(), profile, (0, r + 0.02, 0))
    if rng.random() < 0.4:
        clothes_heap(kit, piece, 0, r + 0.02, h * 0.8, r * 1.1)
    return piece


def floor_mat(kit: MaterialKit, w: float, d: float) -> Piece:
    """Return a mat or a rug of ``w`` by ``d`` meters, centered at the origin."""
    piece = kit.piece()
    material = kit.textured(textures.rug(kit.rng))
    piece.box(Nyud.FLOOR_MAT, material, (-w / 2, -d / 2, 0.0), (w / 2, d / 2, 0.012), stretch=True)
    return piece


def person(kit: MaterialKit) -> Piece:
    """Return a standing person who faces +y."""
    piece, rng = kit.piece(), kit.rng
    height = rng.uniform(1.55, 1.88)
    skin = kit.plain(np.array([220, 170, 140]) * rng.uniform(0.45, 1.1))
    hair = kit.plain(np.array([90, 65, 45]) * rng.uniform(0.2, 1.8))
    shirt, legs, shoes = kit.fabric(), kit.plain(random_color(rng, 0.1, 0.5) * 0.5), kit.dark
    y, N = 0.3, Nyud.PERSON
    for side in (-1, 1):
        hip, foot_y = (side * 0.09, y, 0.5 * height), y + rng.uniform(-0.08, 0.08)
        foot = (side * 0.11, foot_y, 0.085)
        piece.rod(N, legs, hip, foot, 0.075, kind='capsule')
        piece.ball(N, shoes, (foot[0], foot_y + 0.05, 0.045), (0.05, 0.13, 0.045))
        shoulder = (side * 0.2, y, 0.8 * height)
        elbow = (side * rng.uniform(0.24, 0.3), y + rng.uniform(-0.04, 0.1), 0.62 * height)
        hand = (side * rng.uniform(0.12, 0.3), y + rng.uniform(0.0, 0.28),
                rng.uniform(0.5, 0.65) * height)  # fmt: skip
        piece.rod(N, shirt, shoulder, elbow, 0.05, kind='capsule')
        piece.rod(N, skin, elbow, hand, 0.04, kind='capsule')
        piece.ball(N, skin, hand, (0.05, 0.05, 0.06))
    piece.cushion(N, shirt, (-0.22, y - 0.12, 0.46 * height), (0.22, y + 0.12, 0.84 * height), 0.6)
    piece.rod(N, skin, (0, y, 0.82 * height), (0, y, 0.88 * height), 0.055)
    piece.ball(N, skin, (0, y + 0.01, 0.925 * height), (0.085, 0.1, 0.12))
    piece.ball(N, hair, (0, y - 0.015, 0.945 * height), (0.092, 0.1, 0.115))
    return piece
