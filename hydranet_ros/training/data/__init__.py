"""Data sets on disk: one module per family of layouts, and the table of all kinds."""
