"""All pieces of furniture."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_scenes.rooms.builder import RoomBuilder
from hydranet_scenes.rooms.furniture import (
    bathroom,
    beds,
    fixtures,
    floor_items,
    kitchen,
    seating,
    storage,
    tables,
)
from hydranet_scenes.rooms.layout import Layout
from hydranet_scenes.rooms.materials import MaterialKit
from hydranet_scenes.rooms.room import Room
from hydranet_scenes.rooms.shell import door

PIECES = {
    'bed': lambda kit: beds.bed(kit, single=False),
    'sofa': lambda kit: seating.sofa(kit, 3),
    'chair': seating.single_chair,
    'ottoman': seating.ottoman,
    'desk': lambda kit: tables.desk(kit, office=True),
    'dining table': tables.dining_table,
    'coffee table': tables.coffee_table,
    'dresser': lambda kit: storage.dresser(kit, mirror=True),
    'night stand': storage.night_stand,
    'wardrobe': storage.wardrobe,
    'cabinet': lambda kit: storage.cabinet(kit, tv=True),
    'filing cabinet': storage.filing_cabinet,
    'bookshelf': storage.bookshelf,
    'shelves': storage.shelves,
    'refrigerator': kitchen.refrigerator,
    'counter': lambda kit: kitchen.counter(kit, 2.4, sink=True, stove=True),
    'toilet': bathroom.toilet,
    'washstand': bathroom.washstand,
    'bathtub': lambda kit: bathroom.bathtub(kit, 1.7),
    'floor mat': lambda kit: floor_items.floor_mat(kit, 1.0, 0.6),
    'floor lamp': floor_items.floor_lamp,
    'plant': floor_items.plant,
    'boxes': floor_items.boxes,
    'bag': floor_items.bag,
    'waste bin': floor_items.waste_bin,
    'clothes': floor_items.clothes_on_floor,
    'person': floor_items.person,
    'door': door,
    'radiator': lambda kit: fixtures.radiator(kit, 1.0),
    'fireplace': lambda kit: fixtures.fireplace(kit, 2.5),
}


@pytest.mark.parametrize('name', PIECES)
def test_a_piece_stands_on_the_floor_and_fits_into_an_empty_room(name: str):
    """A piece that reached below the floor would fit nowhere."""
    for seed in range(4):
        room = Room('', (6.0, 6.0, 2.6), RoomBuilder())
        layout = Layout(room, MaterialKit(room.builder, np.random.default_rng(seed)))
        piece = PIECES[name](layout.kit)
        assert -0.001 <= piece.low[2] <= 0.01 and piece.high[2] < 2.501
        assert layout.place(piece, 3.0, 3.0, 0.0) is not None
