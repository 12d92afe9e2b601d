"""What can be asked: local models, ONNX files, HTTP servers, recorded answers, any callable."""
