"""Bags: read, write and process rosbag2 recordings without ROS."""
