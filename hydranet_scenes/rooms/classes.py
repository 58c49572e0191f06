"""Class ids of rooms: those of ``config/classes/nyud40.yaml``."""

from __future__ import annotations

from enum import IntEnum


class Nyud(IntEnum):
    """
    The 40 classes of NYUDv2, numbered from 0.

    The names, ``REFRIDGERATOR`` included, are spelled as in the data set.
    """

    WALL = 0
    FLOOR = 1
    CABINET = 2
    BED = 3
    CHAIR = 4
    SOFA = 5
    TABLE = 6
    DOOR = 7
    WINDOW = 8
    BOOKSHELF = 9
    PICTURE = 10
    COUNTER = 11
    BLINDS = 12
    DESK = 13
    SHELVES = 14
    CURTAIN = 15
    DRESSER = 16
    PILLOW = 17
    MIRROR = 18
    FLOOR_MAT = 19
    CLOTHES = 20
    CEILING = 21
    BOOKS = 22
    REFRIDGERATOR = 23
    TELEVISION = 24
    PAPER = 25
    TOWEL = 26
    SHOWER_CURTAIN = 27
    BOX = 28
    WHITEBOARD = 29
    PERSON = 30
    NIGHT_STAND = 31
    TOILET = 32
    SINK = 33
    LAMP = 34
    BATHTUB = 35
    BAG = 36
    OTHERSTRUCTURE = 37
    OTHERFURNITURE = 38
    OTHERPROP = 39
