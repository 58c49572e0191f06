"""Furniture and other contents of rooms, one module a group of objects."""
