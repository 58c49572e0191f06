"""The joint network in PyTorch: encoders, decoder, checkpoints, export."""
