"""Perception: turn the network's outputs into labels, metric depth and a point cloud."""
