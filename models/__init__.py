"""What is seen in a picture: bundles and ONNX inference. The only room with onnxruntime."""
