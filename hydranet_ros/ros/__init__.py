"""The ROS 2 side: the lifecycle node, its messages and parameters, the player."""
