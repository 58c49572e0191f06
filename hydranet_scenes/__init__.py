"""Procedural streets and rooms, rendered with MuJoCo, with exact labels, depth and poses."""
