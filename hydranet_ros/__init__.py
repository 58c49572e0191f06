"""Joint semantic segmentation and metric depth from one camera, as a ROS 2 node."""

import os

__version__ = '0.1.0'

# OpenCV reads this once, when it is loaded. It bounds every decoder, also those whose headers
# hydranet_ros.images.header does not read; OpenCV's own limit of 2**30 pixels takes gigabytes.
os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(2**27))
