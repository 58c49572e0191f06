"""Cameras: intrinsics, lens distortion, rays, and the ROS conventions around them."""
