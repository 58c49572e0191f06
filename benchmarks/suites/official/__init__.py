"""Suite ``official``: the official example beside this package."""
