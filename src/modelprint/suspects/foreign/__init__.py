"""Models that other libraries made: TFLite, Keras, OpenVINO and SavedModel. Each runs in a confined child.

A child is one module here. `handler()` answers {"do": "open"} with inputs and outputs, {"do": "run"} with an output,
as `suspects.onnx_child` does. To add a format, write such a module, and name it in `suspects.engines` and `nn.kinds`.
"""
