"""Benchmarks of hydranet_ros: ``python -m benchmarks``; single experiments in ``experiments``."""
