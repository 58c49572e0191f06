"""The path of a frame on an NVIDIA GPU: pixels go up once, results come down once."""
