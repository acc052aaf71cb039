"""ONNX Runtime, told before it is loaded not to report to its maker.

From 1.29 on it sends names and sizes of models, errors and figures of the machine, at start and now and then, unless
this variable is set when it loads; on Windows it hands them to the system, which the call below ends.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

ort.disable_telemetry_events()

__all__ = ["ort"]
