"""Model files: metadata, presets, lookup and download."""
