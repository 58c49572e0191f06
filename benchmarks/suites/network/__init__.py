"""Suite ``network``: inference time of the network beside other runtimes."""
