"""Inference with images and outputs in GPU memory: one upload and one download per frame."""
