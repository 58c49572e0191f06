"""The looks of one room's furniture, made when first asked for and shared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from hydranet_scenes import room_prints, room_textures
from hydranet_scenes.room_builder import Piece, RoomBuilder
from hydranet_scenes.textures import Texture


class Kit:
    """
    Materials of a room and its random numbers.

    Furniture of one room is of few woods and colours, as people buy it.
    """

    def __init__(self, builder: RoomBuilder, rng: np.random.Generator) -> None:
        self.builder, self.rng = builder, rng
        self._looks: dict[str, str] = {}

    def piece(self) -> Piece:
        """Return an empty piece."""
        return Piece(self.builder, self.rng)

    def _shared(self, name: str, make: Callable[[], str]) -> str:
        if name not in self._looks:
            self._looks[name] = make()
        return self._looks[name]

    def drawn(self, texture: Texture, *, shine: float = 0.0, glow: float = 0.0) -> str:
        """Return a new look with a texture."""
        return self.builder.material(texture=texture, shine=shine, glow=glow)

    def plain(self, color: ArrayLike, *, shine: float = 0.1, glow: float = 0.0) -> str:
        """Return a new look of one colour, 0..255."""
        color = np.asarray(color, float) / 255
        return self.builder.material(color=color, shine=shine, glow=glow)

    def any_color(self, *, shine: float = 0.15) -> str:
        """Return a look of one of the room's eight colours."""
        index = int(self.rng.integers(8))
        return self._shared(
            f'color{index}', lambda: self.plain(room_textures.hue(self.rng), shine=shine)
        )

    def wood(self) -> str:
        """Return one of the room's two woods, or white paint."""
        kind = self.rng.random()
        if kind < 0.2:
            return self.white
        name = 'wood0' if kind < 0.75 else 'wood1'
        return self._shared(name, lambda: self.drawn(room_textures.wood(self.rng), shine=0.2))

    def front(self) -> str:
        """Return what all fronts of a kitchen are made of."""
        return self._shared('front', self.wood)

    def cloth(self) -> str:
        """Return one of the room's six cloths."""
        index = int(self.rng.integers(6))
        return self._shared(f'cloth{index}', lambda: self.drawn(room_textures.fabric(self.rng)))

    def spine(self) -> str:
        """Return one of the room's twelve backs of books."""
        index = int(self.rng.integers(12))
        return self._shared(f'spine{index}', lambda: self.drawn(room_prints.spine(self.rng)))

    def sheet(self) -> str:
        """Return one of the room's four sheets of paper."""
        index = int(self.rng.integers(4))
        return self._shared(f'sheet{index}', lambda: self.drawn(room_prints.paper(self.rng)))

    def carton(self) -> str:
        """Return one of the room's three boxes' looks."""
        index = int(self.rng.integers(3))
        return self._shared(
            f'carton{index}', lambda: self.drawn(room_textures.cardboard(self.rng))
        )

    def _grey(self, name: str, low: float, high: float, shine: float) -> str:
        return self._shared(
            name, lambda: self.plain([self.rng.uniform(low, high)] * 3, shine=shine)
        )

    @property
    def white(self) -> str:
        """Return white paint."""
        return self._grey('white', 205, 240, 0.25)

    @property
    def ceramic(self) -> str:
        """Return what sinks and toilets are made of."""
        return self._grey('ceramic', 225, 245, 0.6)

    @property
    def metal(self) -> str:
        """Return steel."""
        return self._grey('metal', 130, 190, 0.7)

    @property
    def dark(self) -> str:
        """Return dark plastic."""
        return self._grey('dark', 18, 50, 0.3)

    @property
    def grey(self) -> str:
        """Return grey plastic or lacquer."""
        return self._grey('grey', 90, 170, 0.2)

    @property
    def stone(self) -> str:
        """Return the worktops' look."""
        return self._shared('stone', lambda: self.drawn(room_textures.stone(self.rng), shine=0.4))

    @property
    def leaf(self) -> str:
        """Return the green of plants."""
        return self._shared(
            'leaf', lambda: self.plain(np.array([60, 110, 50]) * self.rng.uniform(0.6, 1.3))
        )

    @property
    def shade(self) -> str:
        """Return a lit lampshade."""
        return self._shared(
            'shade', lambda: self.plain((255, 238, 205), glow=self.rng.uniform(0.55, 0.9))
        )
