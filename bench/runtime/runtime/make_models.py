"""make_models.py FOLDER: the models that are served, each as SavedModel, ONNX and TFLite with the same weights, and what
they answer (expected.json). Needs TensorFlow, so it is a program of its own; measure runs it once."""
import json
import pathlib
import sys

import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from runtime.payloads import CLASSES, IMAGE, PAYLOADS, WIDE

FORMATS = ("tensorflow", "onnx", "litert", "null")
RANDOM = np.random.default_rng(7)


class HalfPlusTwo(tf.Module):
    def __init__(self):
        super().__init__()
        self.half, self.offset = tf.Variable(0.5), tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def serve(self, x):
        return {"y": self.half * x + self.offset}

    def to_onnx(self):
        half, offset = (numpy_helper.from_array(np.float32(value), name) for name, value in (("half", 0.5), ("offset", 2.0)))
        nodes = [helper.make_node("Mul", ["x", "half"], ["halved"]), helper.make_node("Add", ["halved", "offset"], ["y"])]
        return nodes, [half, offset], ["batch"], ["batch"]

    columns = (0, 0)


class Perceptron(tf.Module):
    """Dense layers with ReLU between them and softmax at the end."""

    def __init__(self, *units):
        super().__init__()
        self.layers = [(tf.Variable(RANDOM.normal(0, before ** -0.5, (before, after)), dtype=tf.float32),
                        tf.Variable(RANDOM.normal(0, 0.1, after), dtype=tf.float32)) for before, after in zip(units, units[1:])]
        self.columns = (units[0], units[-1])

    @tf.function(input_signature=[tf.TensorSpec([None, IMAGE], tf.float32, "x")])
    def serve(self, x):
        for weights, offset in self.layers[:-1]:
            x = tf.nn.relu(tf.matmul(x, weights) + offset)
        weights, offset = self.layers[-1]
        return {"y": tf.nn.softmax(tf.matmul(x, weights) + offset)}

    def to_onnx(self):
        nodes, constants, before = [], [], "x"
        for i, (weights, offset) in enumerate(self.layers):
            constants += [numpy_helper.from_array(weights.numpy(), f"w{i}"), numpy_helper.from_array(offset.numpy(), f"b{i}")]
            nodes.append(helper.make_node("Gemm", [before, f"w{i}", f"b{i}"], [f"sum{i}"]))
            ends = i == len(self.layers) - 1
            nodes.append(helper.make_node("Softmax" if ends else "Relu", [f"sum{i}"], ["y" if ends else f"layer{i}"]))
            before = f"layer{i}"
        return nodes, constants, ["batch", self.columns[0]], ["batch", self.columns[1]]


def save_onnx(module, path):
    nodes, constants, takes, gives = module.to_onnx()
    graph = helper.make_graph(nodes, "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, takes)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, gives)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def main(folder):
    modules = {"half_plus_two": HalfPlusTwo(), "mlp": Perceptron(IMAGE, 128, CLASSES),
               "wide": Perceptron(IMAGE, WIDE, WIDE, CLASSES)}
    for name, module in modules.items():
        versions = {kind: folder / kind / name / "1" for kind in FORMATS}
        for version in versions.values():
            version.mkdir(parents=True, exist_ok=True)
        tf.saved_model.save(module, str(versions["tensorflow"]), signatures={"serving_default": module.serve})
        save_onnx(module, versions["onnx"] / "model.onnx")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(versions["tensorflow"]))
        (versions["litert"] / "model.tflite").write_bytes(converter.convert())
        (versions["null"] / "null.onnx").write_text("{} {}\n".format(*module.columns))
    expected = {}
    for payload in PAYLOADS.values():
        given = tf.constant(payload.values(), tf.float32, payload.shape)
        expected[payload.name] = np.ravel(modules[payload.model].serve(given)["y"]).tolist()
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
