"""Joint semantic segmentation and metric depth from one camera, as a ROS 2 node."""

__version__ = '0.1.0'
