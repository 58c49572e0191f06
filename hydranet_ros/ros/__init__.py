"""The lifecycle node, its messages and parameters, the player and the demo."""
