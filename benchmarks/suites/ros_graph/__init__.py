"""Suite ``ros_graph``: cameras, nodes and subscribers as processes over DDS."""
