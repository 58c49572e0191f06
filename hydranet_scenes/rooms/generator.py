"""Generate a room from a seed: shell, furniture and light."""

from __future__ import annotations

import numpy as np

from hydranet_scenes.rooms import shell, textures
from hydranet_scenes.rooms.builder import RoomBuilder, RoomLighting
from hydranet_scenes.rooms.furniture import fixtures, floor_items
from hydranet_scenes.rooms.layout import Layout
from hydranet_scenes.rooms.lighting import room_lights
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Bounds
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.room_kinds import ROOM_KINDS
from hydranet_scenes.rooms.shell import Opening


def build_room(seed: int, kind: str = '') -> Room:
    """
    Return the room of a seed; the same seed gives the same room.

    :param kind: a key of :data:`~hydranet_scenes.rooms.room_kinds.ROOM_KINDS`. By default
        consecutive seeds give the kinds in turn.
    """
    rng = np.random.default_rng((111, seed))
    kind = kind or tuple(ROOM_KINDS)[seed % len(ROOM_KINDS)]
    low, high = ROOM_KINDS[kind].size_range
    width, depth = (float(value) for value in rng.uniform(low, high))
    builder = RoomBuilder()
    room = Room(kind, (width, depth, float(rng.uniform(2.4, 2.85))), builder)
    room.night = bool(rng.random() < 0.15)
    layout = Layout(room, MaterialKit(builder, rng))
    _build_shell(layout)
    _add_ceiling_lamps(layout)
    ROOM_KINDS[kind].furnish(layout)
    layout.clear_reservations()
    _add_items_of_any_room(layout)
    room.lighting = RoomLighting(
        lights=room_lights(layout),
        ambient=(rng.uniform(0.2, 0.36) * np.array([1.0, 0.98, 0.95])).tolist(),
        extent=float(np.hypot(width, depth)) + 1.0,
    )
    return room


def _build_shell(layout: Layout) -> None:
    """Add the door and the windows, and build floor, walls and ceiling around them."""
    rng, kit, room = layout.rng, layout.kit, layout.room
    tiled = room.kind in ('bathroom', 'kitchen')
    _add_door(layout)
    _add_windows(layout)
    floor, shine = textures.planks(rng), 0.25
    if tiled and rng.random() < 0.75:
        floor = textures.tiles(rng)
    elif not tiled and rng.random() < 0.4:
        floor, shine = textures.carpet(rng), 0.0
    ceiling = textures.plaster(rng)
    wainscot = None
    if room.kind == 'bathroom':
        tiles = kit.textured(textures.tiles(rng), shine=0.4)
        wainscot = (tiles, room.size[2] if rng.random() < 0.4 else rng.uniform(1.0, 2.0))
    layout.build_shell(
        floor=kit.textured(floor, shine=shine), ceiling=kit.textured(ceiling),
        paint=_wall_materials(kit), baseboard='' if tiled else kit.white, wainscot=wainscot,
    )  # fmt: skip


def _add_windows(layout: Layout) -> None:
    """Add one or two windows to walls without the door."""
    rng, room = layout.rng, layout.room
    sill = {'bathroom': 1.25, 'kitchen': 1.1}.get(room.kind, 0.85) + rng.uniform(0, 0.15)
    brightness = 0.06 if room.night else rng.uniform(0.85, 1.4)
    bathroom = room.kind == 'bathroom'
    covers = ['curtains', 'blinds', ''] if room.kind != 'office' else ['blinds', 'blinds', '']
    cover = 'blinds' if bathroom else str(rng.choice(covers, p=[0.5, 0.3, 0.2]))
    free = [index for index in range(4) if index != layout.door]
    count = 1 if bathroom or rng.random() < 0.6 else 2
    for index in rng.permutation(free)[:count]:
        wall = layout.walls[int(index)]
        width = rng.uniform(0.6, 0.9) if bathroom else rng.uniform(1.0, 2.4)
        width = min(wall.length - 0.95, width)
        left = rng.uniform(0.45, wall.length - width - 0.45)
        top = min(room.size[2] - 0.15, rng.uniform(2.0, 2.25))
        layout.add_window(int(index), Opening(left, sill, left + width, top), brightness, cover)


def _wall_materials(kit: MaterialKit) -> list[str]:
    """Return one material for all walls, or four of which one differs."""
    color = textures.wall_paint_color(kit.rng)
    material = kit.textured(textures.wallpaper(kit.rng, color))
    if kit.rng.random() < 0.75:
        return [material]
    other = kit.textured(textures.wallpaper(kit.rng, textures.wall_paint_color(kit.rng)))
    return [material, material, other, material]


def _add_door(layout: Layout) -> None:
    """Add a door near one end of a wall, and reserve the space in front of it."""
    index = int(layout.rng.integers(4))
    wall = layout.walls[index]
    along = 0.62 if layout.rng.random() < 0.5 else wall.length - 0.62
    place = layout.place_at_wall(shell.door(layout.kit), walls=(index,), along=along, gap=0.0)
    assert place is not None, 'an empty wall has room for a door'
    x, y = wall.at(along, 0.5)
    layout.reserve(Bounds((x - 0.45, y - 0.45, 0.0), (x + 0.45, y + 0.45, 2.0)))
    layout.door = index


def _add_ceiling_lamps(layout: Layout) -> None:
    """Add one or two lamps of one style to the ceiling."""
    rng, kind, (width, depth, height) = layout.rng, layout.room.kind, layout.room.size
    style = 'panel' if kind == 'office' else str(rng.choice(['dome', 'pendant']))
    if kind != 'office' and (kind == 'bathroom' or height < 2.55):
        style = 'dome'
    positions = [(width / 2, depth / 2)]
    if width > 4.6 or kind == 'office':
        positions = [(width * 0.28, depth / 2), (width * 0.72, depth / 2)]
    drop = rng.uniform(0.15, 0.4)
    for x, y in positions:
        piece = fixtures.ceiling_lamp(layout.kit, style, drop)
        if layout.place(piece, x, y, 90.0 * int(rng.integers(2)), height) is not None:
            layout.ceiling_light_positions.append(layout.light_positions.pop())


def _add_items_of_any_room(layout: Layout) -> None:
    """Add a pillar, radiators, bags and boxes."""
    rng, kit, height = layout.rng, layout.kit, layout.room.size[2]
    bathroom = layout.room.kind == 'bathroom'
    if rng.random() < 0.35:
        layout.place_at_wall(fixtures.pillar(kit, height - 0.002, kit.white), tries=12)
    for index, openings in layout.openings.items():
        for window in openings:
            if rng.random() < 0.6:
                width = min(window.right - window.left, rng.uniform(0.6, 1.4))
                layout.place_at_wall(fixtures.radiator(kit, width), walls=(index,),
                                     along=(window.left + window.right) / 2)  # fmt: skip
    for make, chance in ((floor_items.bag, 0.5), (floor_items.boxes, 0.45)):
        if not bathroom and rng.random() < chance:
            layout.place_at_wall(make(kit))
    if rng.random() < 0.15 and not bathroom:
        layout.place_anywhere(floor_items.bag(kit))
