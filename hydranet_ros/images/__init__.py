"""Images: ROS encodings, files and videos."""
