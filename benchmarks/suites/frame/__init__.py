"""Suite ``frame``: time of a whole frame in the node beside the network alone."""
