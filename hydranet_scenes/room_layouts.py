"""The five kinds of rooms: what stands in each and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hydranet_scenes import (
    room_bath,
    room_furniture,
    room_props,
    room_storage,
    room_textures,
    room_walls,
)
from hydranet_scenes.room import Layout, Room, lamps, paint
from hydranet_scenes.room_builder import Bounds, Piece, RoomBuilder
from hydranet_scenes.room_kit import Kit
from hydranet_scenes.room_walls import Opening

# Smallest and largest width and depth, metres.
_SIZES = {
    'living room': ((3.6, 3.4), (6.2, 5.0)),
    'bedroom': ((2.9, 3.0), (4.6, 4.3)),
    'kitchen': ((2.5, 2.6), (4.4, 4.0)),
    'office': ((2.8, 2.9), (6.0, 4.6)),
    'bathroom': ((2.1, 2.0), (3.3, 3.0)),
}
KINDS = tuple(_SIZES)


def build_room(seed: int, kind: str = '') -> Room:
    """
    Return the room of a seed; the same seed gives the same room.

    :param kind: one of :data:`KINDS`; by default the seed's own, living rooms, bedrooms,
        kitchens, offices and bathrooms by turns.
    """
    rng = np.random.default_rng((111, seed))
    kind = kind or KINDS[seed % len(KINDS)]
    low, high = _SIZES[kind]
    width, depth = (float(value) for value in rng.uniform(low, high))
    builder = RoomBuilder()
    room = Room(kind, (width, depth, float(rng.uniform(2.4, 2.85))), builder)
    room.night = bool(rng.random() < 0.15)
    kit = Kit(builder, rng)
    layout = Layout(room, kit)
    _shell(layout, kind)
    _ceiling_lamps(layout, kind)
    _FURNISH[kind](layout)
    layout.release()
    _strew(layout, kind)
    room.lights = {
        'lamps': lamps(layout),
        'ambient': (rng.uniform(0.2, 0.36) * np.array([1.0, 0.98, 0.95])).tolist(),
        'extent': float(np.hypot(width, depth)) + 1.0,
    }
    return room


def _shell(layout: Layout, kind: str) -> None:
    rng, kit, room = layout.rng, layout.kit, layout.room
    high = room.size[2]
    wet = kind in ('bathroom', 'kitchen')
    _door(layout)
    sill = {'bathroom': 1.25, 'kitchen': 1.1}.get(kind, 0.85) + rng.uniform(0, 0.15)
    bright = 0.06 if room.night else rng.uniform(0.85, 1.4)
    covers = ['curtains', 'blinds', ''] if kind != 'office' else ['blinds', 'blinds', '']
    cover = str(rng.choice(covers, p=[0.5, 0.3, 0.2])) if kind != 'bathroom' else 'blinds'
    free = [index for index in range(4) if index != layout.door]
    count = 1 if kind == 'bathroom' or rng.random() < 0.6 else 2
    for index in rng.permutation(free)[:count]:
        wall = layout.walls[int(index)]
        wide = min(wall.length - 0.95, rng.uniform(0.6, 0.9) if kind == 'bathroom'
                   else rng.uniform(1.0, 2.4))  # fmt: skip
        left = rng.uniform(0.45, wall.length - wide - 0.45)
        top = min(high - 0.15, rng.uniform(2.0, 2.25))
        layout.window(int(index), Opening(left, sill, left + wide, top), bright, cover)
    floor, shine = room_textures.planks(rng), 0.25
    if wet and rng.random() < 0.75:
        floor = room_textures.tiles(rng)
    elif not wet and rng.random() < 0.4:
        floor, shine = room_textures.carpet(rng), 0.0
    ceiling = room_textures.plaster(rng)
    wainscot = None
    if kind == 'bathroom':
        tiles = kit.drawn(room_textures.tiles(rng), shine=0.4)
        wainscot = (tiles, high if rng.random() < 0.4 else rng.uniform(1.0, 2.0))
    layout.shell(
        floor=kit.drawn(floor, shine=shine), ceiling=kit.drawn(ceiling), paint=paint(kit),
        board='' if wet else kit.white, wainscot=wainscot,
    )  # fmt: skip


def _door(layout: Layout) -> None:
    """Put a door into a wall, near one of its ends, and keep the way to it clear."""
    wall_index = int(layout.rng.integers(4))
    wall = layout.walls[wall_index]
    end = 0.62 if layout.rng.random() < 0.5 else wall.length - 0.62
    found = layout.against(room_walls.door(layout.kit), walls=(wall_index,), along=end, gap=0.0)
    assert found is not None, 'an empty wall has room for a door'
    x, y = wall.at(end, 0.5)
    layout.keep_clear(Bounds((x - 0.45, y - 0.45, 0.0), (x + 0.45, y + 0.45, 2.0)))
    layout.door = wall_index


def _ceiling_lamps(layout: Layout, kind: str) -> None:
    rng, (width, depth, high) = layout.rng, layout.room.size
    style = 'panel' if kind == 'office' else str(rng.choice(['dome', 'pendant']))
    if kind in ('bathroom',) or high < 2.55:
        style = 'dome' if kind != 'office' else style
    spots = [(width / 2, depth / 2)]
    if width > 4.6 or kind == 'office':
        spots = [(width * 0.28, depth / 2), (width * 0.72, depth / 2)]
    drop = rng.uniform(0.15, 0.4)
    for x, y in spots:
        piece = room_walls.ceiling_lamp(layout.kit, style, drop)
        if layout.put(piece, x, y, 90.0 * int(rng.integers(2)), high) is not None:
            layout.lamps.append(layout.glows.pop())


def _fill(layout: Layout, makes: Sequence[Callable[[Kit], Piece]], tries: int) -> None:
    """Add pieces along the walls as long as a third of the floor is free to walk on."""
    grid = np.stack(np.meshgrid(*(np.arange(0.1, side, 0.2) for side in layout.room.size[:2])), -1)
    for _ in range(tries):
        if layout.room.free(grid.reshape(-1, 2), 1.4, 0.1).mean() < 0.33:
            return
        layout.against(makes[int(layout.rng.integers(len(makes)))](layout.kit))


def _hang(layout: Layout, piece: Piece, z: float) -> None:
    layout.against(piece, z=z, gap=0.002)


def _pictures(layout: Layout, most: int) -> None:
    """Hang pictures, and now and then something else, where the walls are bare."""
    rng, kit = layout.rng, layout.kit
    for _ in range(int(rng.integers(1, most + 1))):
        kind = rng.random()
        if kind < 0.75:
            _hang(layout, room_walls.picture(kit), rng.uniform(1.15, 1.5))
        elif kind < 0.9:
            _hang(layout, room_storage.wall_shelf(kit), rng.uniform(1.25, 1.5))
        else:
            _hang(layout, room_walls.notes(kit), rng.uniform(1.1, 1.3))


def _front(layout: Layout, found: tuple[int, float, Bounds], out: float) -> tuple[float, float]:
    """Return the place ``out`` metres before what was put against a wall."""
    index, along, _ = found
    return layout.walls[index].at(along, out)


def _living_room(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    found = layout.against(room_furniture.sofa(kit, int(rng.integers(2, 4))))
    if found is not None:
        yaw = layout.walls[found[0]].yaw
        rug = room_bath.mat(kit, rng.uniform(1.6, 2.4), rng.uniform(1.1, 1.7))
        layout.put(rug, *_front(layout, found, 2.0), yaw)
        _on_rug(layout, room_furniture.coffee_table(kit), _front(layout, found, 1.5), yaw)
        across = (found[0] + 2) % 4
        beside = layout.walls[across].length - found[1]
        tv = room_storage.cabinet(kit, tv=True)
        if layout.against(tv, walls=(across,), along=beside) is None:
            layout.against(tv)
        if rng.random() < 0.8:
            wide = rng.uniform(0.6, 1.1)
            layout.against(room_walls.picture(kit, wide), walls=(found[0],), along=found[1],
                           z=1.25, gap=0.002)  # fmt: skip
    else:
        layout.against(room_storage.cabinet(kit, tv=True))
    if rng.random() < 0.25:
        layout.against(room_walls.fireplace(kit, layout.room.size[2]))
    if rng.random() < 0.8:
        layout.against(room_storage.bookshelf(kit))
    if rng.random() < 0.7:
        layout.against(room_furniture.sofa(kit, 1))
    for make, chance in (
        (room_props.floor_lamp, 0.7), (room_props.plant, 0.6), (room_storage.shelves, 0.3),
        (room_storage.cabinet, 0.4), (room_furniture.ottoman, 0.4), (room_storage.bookshelf, 0.3),
    ):  # fmt: skip
        if rng.random() < chance:
            layout.against(make(kit))
    if layout.room.size[0] * layout.room.size[1] > 20 and rng.random() < 0.7:
        layout.somewhere(room_furniture.dining_table(kit), square=True)
    _fill(layout, (room_storage.bookshelf, room_storage.cabinet, room_props.plant,
                   room_storage.shelves, room_furniture.lone_chair), 6)  # fmt: skip
    _pictures(layout, 8)
    if rng.random() < 0.35:
        layout.somewhere(room_props.person(kit), tries=90)


def _on_rug(layout: Layout, piece: Piece, at: tuple[float, float], yaw: float) -> None:
    """Stand a piece on a rug, which is flat enough to be stood on."""
    layout.put(piece, *at, yaw, 0.0125)


def _bedroom(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    single = min(layout.room.size[:2]) < 3.3 or rng.random() < 0.25
    piece = room_furniture.bed(kit, single)
    found = layout.against(piece, tries=60)
    if found is not None:
        index, along, _ = found
        half = float(piece.high[0])
        for side in (-1, 1):
            if rng.random() < 0.85:
                stand = room_storage.night_stand(kit)
                place = along + side * (half + 0.05 + float(stand.high[0]))
                layout.against(stand, walls=(index,), along=place)
        if rng.random() < 0.7:
            layout.against(room_walls.picture(kit), walls=(index,), along=along, z=1.4, gap=0.002)
        if rng.random() < 0.6:
            rug = room_bath.mat(kit, 1.4, 0.8)
            layout.put(rug, *_front(layout, found, 2.75), layout.walls[index].yaw)
    # One mirror a room: the renderer shows what a second one reflects as black.
    mirrored = rng.random() < 0.5
    layout.against(room_storage.dresser(kit, mirror=mirrored))
    for make, chance in (
        (room_storage.wardrobe, 0.7), (room_furniture.lone_chair, 0.5),
        (room_storage.night_stand, 0.3), (room_storage.bookshelf, 0.3),
        (room_props.floor_lamp, 0.3), (room_storage.shelves, 0.25),
    ):  # fmt: skip
        if rng.random() < chance:
            layout.against(make(kit))
    if rng.random() < 0.35:
        layout.against(room_furniture.desk(kit, office=False))
    if rng.random() < 0.3:
        layout.against(room_storage.cabinet(kit, tv=True))
    if not mirrored and rng.random() < 0.7:
        _hang(layout, room_walls.mirror(kit, rng.uniform(0.35, 0.5), rng.uniform(1.1, 1.4)), 0.45)
    if rng.random() < 0.4:
        _hang(layout, room_props.hanging_clothes(kit), 0.85)
    _fill(layout, (room_storage.wardrobe, room_storage.bookshelf, room_storage.night_stand,
                   room_furniture.lone_chair, room_props.boxes, room_props.bin_), 5)  # fmt: skip
    _pictures(layout, 7)
    if rng.random() < 0.7:
        layout.somewhere(room_props.clothes_on_floor(kit))


def _kitchen(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    order = [int(value) for value in rng.permutation(4) if value != layout.door]
    order.sort(key=lambda index: (len(layout.openings[index]), -layout.walls[index].length))
    first = order[0]
    wall = layout.walls[first]
    fridge = room_storage.refrigerator(kit)
    run = wall.length - float(fridge.high[0] - fridge.low[0]) - 0.12
    at_left = rng.random() < 0.5
    middle = 0.02 + run / 2 if not at_left else wall.length - 0.02 - run / 2
    counter = room_storage.kitchen_run(kit, run, sink=True, stove=rng.random() < 0.85)
    if layout.against(counter, walls=(first,), along=middle, gap=0.032) is None:
        run = min(run, 1.8)
        layout.against(room_storage.kitchen_run(kit, run, sink=True, stove=False), tries=60,
                       gap=0.032)  # fmt: skip
    else:
        for _ in range(2):
            length = run * rng.uniform(0.3, 0.5)
            layout.against(room_storage.wall_cabinets(kit, length), walls=(first,), z=1.45)
    if layout.against(fridge, walls=(first,), along=None, tries=40) is None:
        layout.against(fridge, tries=60)
    if len(order) > 1 and rng.random() < 0.4:
        second = room_storage.kitchen_run(kit, rng.uniform(1.0, 1.8), sink=False, stove=False)
        layout.against(second, walls=order[1:], gap=0.032)
    if layout.room.size[0] * layout.room.size[1] > 9:
        layout.somewhere(room_furniture.dining_table(kit), tries=60, square=True)
    for make, chance in (
        (room_storage.shelves, 0.4), (room_furniture.lone_chair, 0.4), (room_props.bin_, 0.6),
        (room_storage.cabinet, 0.3),
    ):  # fmt: skip
        if rng.random() < chance:
            layout.against(make(kit))
    if rng.random() < 0.6:
        _hang(layout, room_props.towel_rail(kit), 0.65)
    if rng.random() < 0.5:
        _hang(layout, room_storage.wall_shelf(kit), 1.45)
    if rng.random() < 0.5:
        _hang(layout, room_walls.notes(kit), 1.2)
    if rng.random() < 0.7:
        _hang(layout, room_walls.clock(kit), 1.85)
    if rng.random() < 0.5:
        layout.somewhere(room_bath.mat(kit, 0.9, 0.55), square=True)
    _fill(layout, (room_storage.cabinet, room_storage.shelves, room_furniture.lone_chair,
                   room_props.boxes, room_props.bin_), 3)  # fmt: skip
    _pictures(layout, 5)
    if rng.random() < 0.3:
        layout.somewhere(room_props.person(kit), tries=90)


def _office(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    if rng.random() < 0.75:
        longest = max(wall.length for wall in layout.walls)
        _hang(layout, room_walls.whiteboard(kit, rng.uniform(1.2, min(2.4, longest - 1.0))), 0.95)
    desks = 1 + int(layout.room.size[0] * layout.room.size[1] / 9)
    for _ in range(min(4, desks)):
        layout.against(room_furniture.desk(kit, office=True), tries=40)
    for make, chance in (
        (room_storage.bookshelf, 0.8), (room_storage.filing_cabinet, 0.7),
        (room_storage.shelves, 0.5), (room_props.boxes, 0.7), (room_props.plant, 0.4),
        (room_props.bin_, 0.6), (room_storage.bookshelf, 0.4), (room_furniture.lone_chair, 0.3),
    ):  # fmt: skip
        if rng.random() < chance:
            layout.against(make(kit))
    for make, z, chance in (
        (room_walls.notes, 1.2, 0.7), (room_storage.wall_shelf, 1.35, 0.5),
        (room_walls.clock, 1.9, 0.6), (room_props.hanging_clothes, 0.85, 0.3),
    ):  # fmt: skip
        if rng.random() < chance:
            _hang(layout, make(kit), z)
    if layout.room.size[0] > 5 and rng.random() < 0.5:
        layout.somewhere(room_furniture.dining_table(kit), square=True)
    _fill(layout, (room_storage.bookshelf, room_storage.shelves, room_storage.filing_cabinet,
                   room_storage.cabinet, room_props.boxes), 6)  # fmt: skip
    _pictures(layout, 7)
    if rng.random() < 0.45:
        layout.somewhere(room_props.person(kit), tries=90)


def _bathroom(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    order = [index for index in range(4) if index != layout.door]
    order.sort(key=lambda index: layout.walls[index].length)
    tub_wall = order[0] if rng.random() < 0.6 else order[-1]
    length = min(1.75, layout.walls[tub_wall].length - 0.06)
    bath = room_bath.bathtub(kit, length)
    if layout.against(bath, walls=(tub_wall,), tries=30) is None:
        layout.against(room_bath.bathtub(kit, 1.5), tries=60)
    found = layout.against(room_bath.wash_stand(kit), tries=60)
    if found is not None:
        index, along, bounds = found
        wide = rng.uniform(0.45, 0.75)
        layout.against(room_walls.mirror(kit, wide, rng.uniform(0.6, 0.9)), walls=(index,),
                       along=along, z=float(bounds.high[2]) + 0.08, gap=0.01)  # fmt: skip
        layout.put(room_bath.mat(kit, 0.75, 0.5), *_front(layout, found, 0.95),
                   layout.walls[index].yaw)  # fmt: skip
    layout.against(room_bath.toilet(kit), tries=60)
    for _ in range(int(rng.integers(1, 3))):
        _hang(layout, room_props.towel_rail(kit), rng.uniform(0.6, 0.9))
    for make, chance in ((room_props.bin_, 0.6), (room_storage.shelves, 0.25)):
        if rng.random() < chance:
            layout.against(make(kit))
    if rng.random() < 0.5:
        _hang(layout, room_storage.wall_shelf(kit), 1.4)
    if rng.random() < 0.4:
        _pictures(layout, 1)
    if rng.random() < 0.3:
        layout.somewhere(room_props.clothes_on_floor(kit))


def _strew(layout: Layout, kind: str) -> None:
    """Add what lies about anywhere: bags, boxes, a radiator, a pillar."""
    rng, kit = layout.rng, layout.kit
    wet = kind == 'bathroom'
    if rng.random() < 0.35:
        layout.against(room_walls.pillar(kit, layout.room.size[2] - 0.002, kit.white), tries=12)
    for index in layout.openings:
        for o in layout.openings[index]:
            if rng.random() < 0.6:
                wide = min(o.right - o.left, rng.uniform(0.6, 1.4))
                layout.against(room_walls.radiator(kit, wide), walls=(index,),
                               along=(o.left + o.right) / 2)  # fmt: skip
    for make, chance in ((room_props.bag, 0.5), (room_props.boxes, 0.45)):
        if not wet and rng.random() < chance:
            layout.against(make(kit))
    if rng.random() < 0.15 and not wet:
        layout.somewhere(room_props.bag(kit))


_FURNISH: dict[str, Callable[[Layout], None]] = {
    'living room': _living_room, 'bedroom': _bedroom, 'kitchen': _kitchen, 'office': _office,
    'bathroom': _bathroom,
}  # fmt: skip
