"""Procedural scenes with exact labels and depth."""
