"""Experiments: one script for each question, run as ``python -m benchmarks.experiments.NAME``."""
