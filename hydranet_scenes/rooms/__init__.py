"""Procedural rooms in the 40 classes of ``config/classes/nyud40.yaml``."""
