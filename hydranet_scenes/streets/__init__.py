"""Procedural streets in the six classes of ``config/classes/kitti6.yaml``."""
