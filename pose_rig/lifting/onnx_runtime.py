"""ONNX Runtime with its telemetry disabled before it is loaded.

From 1.29 on it sends names and sizes of models, errors and machine data, unless this variable is set when it loads; on
Windows it passes them to the system, which the call below disables.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

ort.disable_telemetry_events()

__all__ = ["ort"]
