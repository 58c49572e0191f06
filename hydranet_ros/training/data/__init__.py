"""Data sets on disk as samples: one module a family of layouts, one catalogue of all kinds."""
