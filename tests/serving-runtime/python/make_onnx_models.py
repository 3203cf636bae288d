"""Makes the ONNX models that the runtime's tests serve: make_onnx_models.py FOLDER."""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 20)]
# By the names that the tests use for them.
TYPES = {
    "float": TensorProto.FLOAT, "double": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16, "int8": TensorProto.INT8, "int16": TensorProto.INT16, "int32": TensorProto.INT32,
    "int64": TensorProto.INT64, "uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16, "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64, "bool": TensorProto.BOOL, "string": TensorProto.STRING,
}


def tensor(name, element, shape):
    return helper.make_tensor_value_info(name, element, shape)


def constant(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype), name)


def model(nodes, inputs, outputs, initializers=(), opsets=None, **about):
    graph = helper.make_graph(nodes, about.pop("graph", "graph"), inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=opsets or OPSETS, ir_version=10, producer_name="tidegate-tests", **about)


def half_plus(offset):
    """y = x / 2 + offset."""
    return model(
        [helper.make_node("Mul", ["x", "half"], ["halved"]), helper.make_node("Add", ["halved", "offset"], ["y"])],
        [tensor("x", TensorProto.FLOAT, ["batch"])], [tensor("y", TensorProto.FLOAT, ["batch"])],
        [constant("half", 0.5), constant("offset", offset)])


def heavy(offset):
    """y = x + offset, with 4 MB of weights that come to nothing."""
    return model(
        [helper.make_node("Unsqueeze", ["x", "axis"], ["column"]), helper.make_node("MatMul", ["column", "weights"], ["spread"]),
         helper.make_node("ReduceSum", ["spread", "axis"], ["nothing"], keepdims=0),
         helper.make_node("Add", ["x", "nothing"], ["same"]), helper.make_node("Add", ["same", "offset"], ["y"])],
        [tensor("x", TensorProto.FLOAT, ["batch"])], [tensor("y", TensorProto.FLOAT, ["batch"])],
        [constant("weights", np.zeros((1, 1 << 20))), constant("axis", [1], np.int64), constant("offset", offset)])


def every_type():
    """Hands each input through: <type> -> <type>_out."""
    return model([helper.make_node("Identity", [name], [f"{name}_out"]) for name in TYPES],
                 [tensor(name, element, ["n"]) for name, element in TYPES.items()],
                 [tensor(f"{name}_out", element, ["n"]) for name, element in TYPES.items()])


def same_name():
    """Its output is its input: a graph without a node. z, beside it, makes it one that may be served."""
    return model([helper.make_node("Neg", ["x"], ["z"])], [tensor("x", TensorProto.FLOAT, ["n"])],
                 [tensor("x", TensorProto.FLOAT, ["n"]), tensor("z", TensorProto.FLOAT, ["n"])])


def strings():
    return model(
        [helper.make_node("StringConcat", ["text", "mark"], ["louder"]),
         helper.make_node("Identity", ["text"], ["copy_bytes"])],
        [tensor("text", TensorProto.STRING, ["n"])],
        [tensor("louder", TensorProto.STRING, ["n"]), tensor("copy_bytes", TensorProto.STRING, ["n"])],
        [helper.make_tensor("mark", TensorProto.STRING, [], [b"!"])])


def many():
    """Two inputs of different types, three outputs; the shape of one input has a fixed part."""
    return model(
        [helper.make_node("Cast", ["flip"], ["flipped"], to=TensorProto.INT64),
         helper.make_node("Mul", ["flipped", "minus_two"], ["doubled"]),
         helper.make_node("Add", ["doubled", "one"], ["sign"]),
         helper.make_node("Unsqueeze", ["sign", "axis"], ["signs"]),
         helper.make_node("Mul", ["a", "signs"], ["signed"]),
         helper.make_node("Cast", ["a"], ["a_double"], to=TensorProto.DOUBLE),
         helper.make_node("ReduceMean", ["a_double", "axis"], ["mean"], keepdims=0),
         helper.make_node("Cast", ["a"], ["half"], to=TensorProto.FLOAT16)],
        [tensor("flip", TensorProto.BOOL, ["batch"]), tensor("a", TensorProto.INT64, ["batch", 3])],
        [tensor("signed", TensorProto.INT64, ["batch", 3]), tensor("mean", TensorProto.DOUBLE, ["batch"]),
         tensor("half", TensorProto.FLOAT16, ["batch", 3])],
        [constant("minus_two", -2, np.int64), constant("one", 1, np.int64), constant("axis", [1], np.int64)],
        graph="many", doc_string="two in, three out", model_version=3, domain="dev.tidegate.tests")


def picky():
    """Fails inside its graph when an index is outside of the table."""
    return model([helper.make_node("Gather", ["table", "index"], ["value"])],
                 [tensor("index", TensorProto.INT64, ["n"])], [tensor("value", TensorProto.FLOAT, ["n"])],
                 [constant("table", [10, 20, 30])])


def scalar_and_any_rank():
    return model([helper.make_node("Add", ["number", "anything"], ["sum"])],
                 [tensor("number", TensorProto.FLOAT, []), tensor("anything", TensorProto.FLOAT, None)],
                 [tensor("sum", TensorProto.FLOAT, None)])


def slow():
    """Works for a while, so that a request can be in flight; the time grows with rounds."""
    size = 256
    body = helper.make_graph(
        [helper.make_node("MatMul", ["m", "m"], ["squared"]), helper.make_node("Tanh", ["squared"], ["next"]),
         helper.make_node("Identity", ["go"], ["go_on"])],
        "body",
        [tensor("i", TensorProto.INT64, []), tensor("go", TensorProto.BOOL, []), tensor("m", TensorProto.FLOAT, [size, size])],
        [tensor("go_on", TensorProto.BOOL, []), tensor("next", TensorProto.FLOAT, [size, size])])
    return model(
        [helper.make_node("Loop", ["rounds", "", "start"], ["end"], body=body),
         helper.make_node("ReduceSum", ["end"], ["total"], keepdims=0)],
        [tensor("rounds", TensorProto.INT64, [])], [tensor("total", TensorProto.FLOAT, [])],
        [constant("start", np.ones((size, size)) / size)])


def sequence():
    return model([helper.make_node("SequenceConstruct", ["x"], ["list"])], [tensor("x", TensorProto.FLOAT, ["n"])],
                 [helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, ["n"])])


def unknown_operator():
    return model([helper.make_node("Frobnicate", ["x"], ["y"], domain="no.such.domain")],
                 [tensor("x", TensorProto.FLOAT, ["n"])], [tensor("y", TensorProto.FLOAT, ["n"])],
                 opsets=[*OPSETS, helper.make_opsetid("no.such.domain", 1)])


def weights_outside(offset):
    """half_plus_two with `offset`, [1000], in a file beside it."""
    made = half_plus(2)
    made.graph.initializer.pop()
    made.graph.initializer.append(constant("offset", np.full(1000, offset)))
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1000
    made.metadata_props.add(key="author", value="the tests")
    return made


def save(made, folder, name="model.onnx", **options):
    folder.mkdir(parents=True)
    onnx.save(made, folder / name, **options)


def main():
    root = pathlib.Path(sys.argv[1])
    save(half_plus(2), root / "onnx_half_plus_two" / "1")
    save(half_plus(3), root / "onnx_half_plus_three" / "2", name="half_plus_three.onnx")
    for i in range(6):
        save(heavy(i), root / "onnx_heavy" / f"m{i}" / "1")
    save(every_type(), root / "onnx_types" / "1")
    save(same_name(), root / "onnx_same_name" / "1")
    save(strings(), root / "onnx_strings" / "1")
    save(many(), root / "onnx_many" / "1")
    save(picky(), root / "onnx_picky" / "1")
    save(scalar_and_any_rank(), root / "onnx_ranks" / "1")
    save(slow(), root / "onnx_slow" / "1")
    save(sequence(), root / "onnx_sequence" / "1")
    save(unknown_operator(), root / "onnx_unknown_operator" / "1")
    save(weights_outside(2), root / "onnx_weights_outside" / "1", save_as_external_data=True, location="weights.bin",
         size_threshold=100)


if __name__ == "__main__":
    main()
