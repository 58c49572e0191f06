"""Suite ``gpu``: the network and the whole frame on an NVIDIA GPU."""
