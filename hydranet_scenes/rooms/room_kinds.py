"""Kinds of rooms: their sizes, and how each of them is furnished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hydranet_scenes.rooms.furniture import (
    bathroom,
    beds,
    fixtures,
    floor_items,
    kitchen,
    seating,
    storage,
    tables,
    wall_items,
)
from hydranet_scenes.rooms.layout import Layout, WallPlace
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.piece import Piece

_Make = Callable[[MaterialKit], Piece]


@dataclass(frozen=True)
class RoomKind:
    """
    One kind of room.

    :param size_range: smallest and largest (width, depth) in meters.
    :param furnish: adds the furniture to a layout that has door, windows and ceiling lamps.
    """

    size_range: tuple[tuple[float, float], tuple[float, float]]
    furnish: Callable[[Layout], None]


def _add_some(layout: Layout, choices: Sequence[tuple[_Make, float]]) -> None:
    """Place each piece at a wall with its probability."""
    for make, chance in choices:
        if layout.rng.random() < chance:
            layout.place_at_wall(make(layout.kit))


def _fill(layout: Layout, makes: Sequence[_Make], tries: int) -> None:
    """Place random pieces at walls while at least a third of the floor is free."""
    grid = np.stack(np.meshgrid(*(np.arange(0.1, side, 0.2) for side in layout.room.size[:2])), -1)
    for _ in range(tries):
        if layout.room.free_mask(grid.reshape(-1, 2), 1.4, 0.1).mean() < 0.33:
            return
        layout.place_at_wall(makes[int(layout.rng.integers(len(makes)))](layout.kit))


def _hang(layout: Layout, piece: Piece, z: float) -> None:
    """Hang a piece on a wall, its origin ``z`` meters above the floor."""
    layout.place_at_wall(piece, z=z, gap=0.002)


def _hang_pictures(layout: Layout, most: int) -> None:
    """Hang pictures, shelves and papers on free walls."""
    rng, kit = layout.rng, layout.kit
    for _ in range(int(rng.integers(1, most + 1))):
        chance = rng.random()
        if chance < 0.75:
            _hang(layout, wall_items.picture(kit), rng.uniform(1.15, 1.5))
        elif chance < 0.9:
            _hang(layout, storage.wall_shelf(kit), rng.uniform(1.25, 1.5))
        else:
            _hang(layout, wall_items.pinned_papers(kit), rng.uniform(1.1, 1.3))


def _in_front_of(layout: Layout, place: WallPlace, distance: float) -> tuple[float, float]:
    """Return (x, y) at a distance from the wall, in front of a piece."""
    return layout.walls[place.wall].at(place.along, distance)


def _floor_area(layout: Layout) -> float:
    return layout.room.size[0] * layout.room.size[1]


def _furnish_living_room(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    place = layout.place_at_wall(seating.sofa(kit, int(rng.integers(2, 4))))
    if place is not None:
        _add_seating_group(layout, place)
    else:
        layout.place_at_wall(storage.cabinet(kit, tv=True))
    if rng.random() < 0.25:
        layout.place_at_wall(fixtures.fireplace(kit, layout.room.size[2]))
    if rng.random() < 0.8:
        layout.place_at_wall(storage.bookshelf(kit))
    if rng.random() < 0.7:
        layout.place_at_wall(seating.sofa(kit, 1))
    _add_some(layout, (
        (floor_items.floor_lamp, 0.7), (floor_items.plant, 0.6), (storage.shelves, 0.3),
        (storage.cabinet, 0.4), (seating.ottoman, 0.4), (storage.bookshelf, 0.3),
    ))  # fmt: skip
    if _floor_area(layout) > 20 and rng.random() < 0.7:
        layout.place_anywhere(tables.dining_table(kit), aligned=True)
    _fill(layout, (storage.bookshelf, storage.cabinet, floor_items.plant, storage.shelves,
                   seating.single_chair), 6)  # fmt: skip
    _hang_pictures(layout, 8)
    if rng.random() < 0.35:
        layout.place_anywhere(floor_items.person(kit), tries=90)


def _add_seating_group(layout: Layout, sofa: WallPlace) -> None:
    """Add a rug, a coffee table, a television and a picture around a sofa."""
    rng, kit = layout.rng, layout.kit
    yaw = layout.walls[sofa.wall].yaw
    rug = floor_items.floor_mat(kit, rng.uniform(1.6, 2.4), rng.uniform(1.1, 1.7))
    layout.place(rug, *_in_front_of(layout, sofa, 2.0), yaw)
    # The table stands on the rug.
    table = tables.coffee_table(kit)
    layout.place(table, *_in_front_of(layout, sofa, 1.5), yaw, 0.0125)
    opposite = (sofa.wall + 2) % 4
    along = layout.walls[opposite].length - sofa.along
    tv = storage.cabinet(kit, tv=True)
    if layout.place_at_wall(tv, walls=(opposite,), along=along) is None:
        layout.place_at_wall(tv)
    if rng.random() < 0.8:
        picture = wall_items.picture(kit, rng.uniform(0.6, 1.1))
        layout.place_at_wall(picture, walls=(sofa.wall,), along=sofa.along, z=1.25, gap=0.002)


def _furnish_bedroom(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    single = min(layout.room.size[:2]) < 3.3 or rng.random() < 0.25
    bed = beds.bed(kit, single)
    place = layout.place_at_wall(bed, tries=60)
    if place is not None:
        _add_around_bed(layout, bed, place)
    # At most one mirror a room, because MuJoCo renders reflections of a second one black.
    mirrored = rng.random() < 0.5
    layout.place_at_wall(storage.dresser(kit, mirror=mirrored))
    _add_some(layout, (
        (storage.wardrobe, 0.7), (seating.single_chair, 0.5), (storage.night_stand, 0.3),
        (storage.bookshelf, 0.3), (floor_items.floor_lamp, 0.3), (storage.shelves, 0.25),
    ))  # fmt: skip
    if rng.random() < 0.35:
        layout.place_at_wall(tables.desk(kit, office=False))
    if rng.random() < 0.3:
        layout.place_at_wall(storage.cabinet(kit, tv=True))
    if not mirrored and rng.random() < 0.7:
        _hang(layout, wall_items.mirror(kit, rng.uniform(0.35, 0.5), rng.uniform(1.1, 1.4)), 0.45)
    if rng.random() < 0.4:
        _hang(layout, wall_items.hanging_clothes(kit), 0.85)
    _fill(layout, (storage.wardrobe, storage.bookshelf, storage.night_stand, seating.single_chair,
                   floor_items.boxes, floor_items.waste_bin), 5)  # fmt: skip
    _hang_pictures(layout, 7)
    if rng.random() < 0.7:
        layout.place_anywhere(floor_items.clothes_on_floor(kit))


def _add_around_bed(layout: Layout, bed: Piece, place: WallPlace) -> None:
    """Add night stands, a picture and a rug around a bed."""
    rng, kit = layout.rng, layout.kit
    half_width = float(bed.high[0])
    for side in (-1, 1):
        if rng.random() < 0.85:
            stand = storage.night_stand(kit)
            along = place.along + side * (half_width + 0.05 + float(stand.high[0]))
            layout.place_at_wall(stand, walls=(place.wall,), along=along)
    if rng.random() < 0.7:
        picture = wall_items.picture(kit)
        layout.place_at_wall(picture, walls=(place.wall,), along=place.along, z=1.4, gap=0.002)
    if rng.random() < 0.6:
        rug = floor_items.floor_mat(kit, 1.4, 0.8)
        layout.place(rug, *_in_front_of(layout, place, 2.75), layout.walls[place.wall].yaw)


def _furnish_kitchen(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    _add_counters(layout)
    if _floor_area(layout) > 9:
        layout.place_anywhere(tables.dining_table(kit), tries=60, aligned=True)
    _add_some(layout, (
        (storage.shelves, 0.4), (seating.single_chair, 0.4), (floor_items.waste_bin, 0.6),
        (storage.cabinet, 0.3),
    ))  # fmt: skip
    if rng.random() < 0.6:
        _hang(layout, wall_items.towel_rail(kit), 0.65)
    if rng.random() < 0.5:
        _hang(layout, storage.wall_shelf(kit), 1.45)
    if rng.random() < 0.5:
        _hang(layout, wall_items.pinned_papers(kit), 1.2)
    if rng.random() < 0.7:
        _hang(layout, wall_items.clock(kit), 1.85)
    if rng.random() < 0.5:
        layout.place_anywhere(floor_items.floor_mat(kit, 0.9, 0.55), aligned=True)
    _fill(layout, (storage.cabinet, storage.shelves, seating.single_chair, floor_items.boxes,
                   floor_items.waste_bin), 3)  # fmt: skip
    _hang_pictures(layout, 5)
    if rng.random() < 0.3:
        layout.place_anywhere(floor_items.person(kit), tries=90)


def _add_counters(layout: Layout) -> None:
    """Add a counter and a refrigerator, preferably along a long wall without windows."""
    rng, kit = layout.rng, layout.kit
    walls = [int(value) for value in rng.permutation(4) if value != layout.door]
    walls.sort(key=lambda index: (len(layout.openings[index]), -layout.walls[index].length))
    first = walls[0]
    wall = layout.walls[first]
    refrigerator = kitchen.refrigerator(kit)
    length = wall.length - float(refrigerator.high[0] - refrigerator.low[0]) - 0.12
    at_far_end = rng.random() < 0.5
    center = wall.length - 0.02 - length / 2 if at_far_end else 0.02 + length / 2
    counter = kitchen.counter(kit, length, sink=True, stove=rng.random() < 0.85)
    if layout.place_at_wall(counter, walls=(first,), along=center, gap=0.032) is None:
        counter = kitchen.counter(kit, min(length, 1.8), sink=True, stove=False)
        layout.place_at_wall(counter, tries=60, gap=0.032)
    else:
        for _ in range(2):
            cabinets = kitchen.wall_cabinets(kit, length * rng.uniform(0.3, 0.5))
            layout.place_at_wall(cabinets, walls=(first,), z=1.45)
    if layout.place_at_wall(refrigerator, walls=(first,), tries=40) is None:
        layout.place_at_wall(refrigerator, tries=60)
    if len(walls) > 1 and rng.random() < 0.4:
        second = kitchen.counter(kit, rng.uniform(1.0, 1.8), sink=False, stove=False)
        layout.place_at_wall(second, walls=walls[1:], gap=0.032)


def _furnish_office(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    if rng.random() < 0.75:
        longest = max(wall.length for wall in layout.walls)
        _hang(layout, wall_items.whiteboard(kit, rng.uniform(1.2, min(2.4, longest - 1.0))), 0.95)
    desks = 1 + int(_floor_area(layout) / 9)
    for _ in range(min(4, desks)):
        layout.place_at_wall(tables.desk(kit, office=True), tries=40)
    _add_some(layout, (
        (storage.bookshelf, 0.8), (storage.filing_cabinet, 0.7), (storage.shelves, 0.5),
        (floor_items.boxes, 0.7), (floor_items.plant, 0.4), (floor_items.waste_bin, 0.6),
        (storage.bookshelf, 0.4), (seating.single_chair, 0.3),
    ))  # fmt: skip
    for make, z, chance in (
        (wall_items.pinned_papers, 1.2, 0.7), (storage.wall_shelf, 1.35, 0.5),
        (wall_items.clock, 1.9, 0.6), (wall_items.hanging_clothes, 0.85, 0.3),
    ):  # fmt: skip
        if rng.random() < chance:
            _hang(layout, make(kit), z)
    if layout.room.size[0] > 5 and rng.random() < 0.5:
        layout.place_anywhere(tables.dining_table(kit), aligned=True)
    _fill(layout, (storage.bookshelf, storage.shelves, storage.filing_cabinet, storage.cabinet,
                   floor_items.boxes), 6)  # fmt: skip
    _hang_pictures(layout, 7)
    if rng.random() < 0.45:
        layout.place_anywhere(floor_items.person(kit), tries=90)


def _furnish_bathroom(layout: Layout) -> None:
    rng, kit = layout.rng, layout.kit
    walls = [index for index in range(4) if index != layout.door]
    walls.sort(key=lambda index: layout.walls[index].length)
    tub_wall = walls[0] if rng.random() < 0.6 else walls[-1]
    length = min(1.75, layout.walls[tub_wall].length - 0.06)
    if layout.place_at_wall(bathroom.bathtub(kit, length), walls=(tub_wall,), tries=30) is None:
        layout.place_at_wall(bathroom.bathtub(kit, 1.5), tries=60)
    place = layout.place_at_wall(bathroom.washstand(kit), tries=60)
    if place is not None:
        width = rng.uniform(0.45, 0.75)
        mirror = wall_items.mirror(kit, width, rng.uniform(0.6, 0.9))
        layout.place_at_wall(mirror, walls=(place.wall,), along=place.along,
                             z=float(place.bounds.high[2]) + 0.08, gap=0.01)  # fmt: skip
        mat = floor_items.floor_mat(kit, 0.75, 0.5)
        layout.place(mat, *_in_front_of(layout, place, 0.95), layout.walls[place.wall].yaw)
    layout.place_at_wall(bathroom.toilet(kit), tries=60)
    for _ in range(int(rng.integers(1, 3))):
        _hang(layout, wall_items.towel_rail(kit), rng.uniform(0.6, 0.9))
    _add_some(layout, ((floor_items.waste_bin, 0.6), (storage.shelves, 0.25)))
    if rng.random() < 0.5:
        _hang(layout, storage.wall_shelf(kit), 1.4)
    if rng.random() < 0.4:
        _hang_pictures(layout, 1)
    if rng.random() < 0.3:
        layout.place_anywhere(floor_items.clothes_on_floor(kit))


ROOM_KINDS = {
    'living room': RoomKind(((3.6, 3.4), (6.2, 5.0)), _furnish_living_room),
    'bedroom': RoomKind(((2.9, 3.0), (4.6, 4.3)), _furnish_bedroom),
    'kitchen': RoomKind(((2.5, 2.6), (4.4, 4.0)), _furnish_kitchen),
    'office': RoomKind(((2.8, 2.9), (6.0, 4.6)), _furnish_office),
    'bathroom': RoomKind(((2.1, 2.0), (3.3, 3.0)), _furnish_bathroom),
}
