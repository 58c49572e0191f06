"""Materials that the furniture of one room shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from hydranet_scenes.rendering.textures import Texture
from hydranet_scenes.rooms import printed_textures, textures
from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.piece import Piece


class MaterialKit:
    """
    The materials and the random generator of one room.

    The furniture of a room shares a few woods, fabrics and colors. A shared material is created
    when it is first used. All methods except :meth:`piece` return the name of a material.
    """

    def __init__(self, builder: RoomBuilder, rng: np.random.Generator) -> None:
        self.builder, self.rng = builder, rng
        self._materials: dict[str, str] = {}

    def piece(self) -> Piece:
        """Return an empty piece."""
        return Piece(self.builder, self.rng)

    def _shared(self, name: str, make: Callable[[], str]) -> str:
        """Return the material with this name, created if it is the first use."""
        if name not in self._materials:
            self._materials[name] = make()
        return self._materials[name]

    def textured(self, texture: Texture, *, shine: float = 0.0, glow: float = 0.0) -> str:
        """Create a material with a texture."""
        return self.builder.material(texture=texture, shine=shine, glow=glow)

    def plain(self, color: ArrayLike, *, shine: float = 0.1, glow: float = 0.0) -> str:
        """Create a material of one color, RGB 0..255."""
        color = np.asarray(color, float) / 255
        return self.builder.material(color=color, shine=shine, glow=glow)

    def any_color(self, *, shine: float = 0.15) -> str:
        """Return one of eight colors."""
        index = int(self.rng.integers(8))
        return self._shared(
            f'color{index}', lambda: self.plain(textures.random_color(self.rng), shine=shine)
        )

    def wood(self) -> str:
        """Return one of two woods, or white paint."""
        chance = self.rng.random()
        if chance < 0.2:
            return self.white
        name = 'wood0' if chance < 0.75 else 'wood1'
        return self._shared(name, lambda: self.textured(textures.wood(self.rng), shine=0.2))

    def kitchen_front(self) -> str:
        """Return the material of all kitchen cabinets."""
        return self._shared('front', self.wood)

    def fabric(self) -> str:
        """Return one of six fabrics."""
        index = int(self.rng.integers(6))
        return self._shared(f'cloth{index}', lambda: self.textured(textures.fabric(self.rng)))

    def book_spine(self) -> str:
        """Return one of twelve book spines."""
        index = int(self.rng.integers(12))
        return self._shared(
            f'spine{index}', lambda: self.textured(printed_textures.book_spine(self.rng))
        )

    def paper(self) -> str:
        """Return one of four printed sheets of paper."""
        index = int(self.rng.integers(4))
        return self._shared(
            f'sheet{index}', lambda: self.textured(printed_textures.paper(self.rng))
        )

    def cardboard(self) -> str:
        """Return one of three kinds of cardboard."""
        index = int(self.rng.integers(3))
        return self._shared(f'carton{index}', lambda: self.textured(textures.cardboard(self.rng)))

    def _gray(self, name: str, low: float, high: float, shine: float) -> str:
        return self._shared(
            name, lambda: self.plain([self.rng.uniform(low, high)] * 3, shine=shine)
        )

    @property
    def white(self) -> str:
        """Return white paint."""
        return self._gray('white', 205, 240, 0.25)

    @property
    def ceramic(self) -> str:
        """Return the ceramic of sinks and toilets."""
        return self._gray('ceramic', 225, 245, 0.6)

    @property
    def metal(self) -> str:
        """Return steel."""
        return self._gray('metal', 130, 190, 0.7)

    @property
    def dark(self) -> str:
        """Return dark plastic."""
        return self._gray('dark', 18, 50, 0.3)

    @property
    def gray(self) -> str:
        """Return gray plastic."""
        return self._gray('gray', 90, 170, 0.2)

    @property
    def stone(self) -> str:
        """Return the stone of countertops."""
        return self._shared('stone', lambda: self.textured(textures.stone(self.rng), shine=0.4))

    @property
    def leaf(self) -> str:
        """Return the green of leaves."""
        return self._shared(
            'leaf', lambda: self.plain(np.array([60, 110, 50]) * self.rng.uniform(0.6, 1.3))
        )

    @property
    def lampshade(self) -> str:
        """Return the fabric of a lit lampshade."""
        return self._shared(
            'shade', lambda: self.plain((255, 238, 205), glow=self.rng.uniform(0.55, 0.9))
        )
