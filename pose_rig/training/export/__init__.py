"""Trained weights as one ONNX graph."""
