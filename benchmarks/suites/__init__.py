"""``python -m benchmarks``: every millisecond between the camera and the subscriber, side by side."""
