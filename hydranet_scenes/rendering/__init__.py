"""The renderer, its cameras, and the scene builder and textures that all scenes share."""
