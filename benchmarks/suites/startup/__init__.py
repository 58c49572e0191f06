"""Suite ``startup``: start of the node to its first result, imports and memory."""
