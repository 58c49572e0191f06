"""Inference: run a model file with ONNX Runtime on the chosen provider."""
