"""Makes the SavedModels that the runtime's tests serve: make_models.py FOLDER."""

import pathlib
import sys

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name=name)


class HalfPlusTwo(tf.Module):
    """y = x / 2 + 2, TensorFlow Serving's own example. The other signatures read x from tf.Example protos."""

    def __init__(self, offset=2.0):
        super().__init__()
        self.half = tf.Variable(0.5)
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def serve(self, x):
        return {"y": self.half * x + self.offset}

    def parse(self, examples):
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]

    @tf.function(input_signature=[spec([None], tf.string, "inputs")])
    def classify_x_to_y(self, inputs):
        return {"scores": self.half * self.parse(inputs) + self.offset}

    @tf.function(input_signature=[spec([None], tf.string, "inputs")])
    def regress_x_to_y(self, inputs):
        return {"outputs": self.half * self.parse(inputs) + self.offset}


    @tf.function(input_signature=[spec([None], tf.string, "inputs")])
    def classify_as_predict(self, inputs):
        return {"scores": self.half * self.parse(inputs) + self.offset}

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def no_rows(self, x):
        return {"y": x[:0]}

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def total(self, x):
        return {"y": tf.reduce_sum(x)}


class Sizes(tf.Module):
    """Classes with names, of examples with features of several types."""

    @tf.function(input_signature=[spec([None], tf.string, "inputs")])
    def classify(self, inputs):
        features = tf.io.parse_example(inputs, {
            "size": tf.io.FixedLenFeature([], tf.int64),
            "limit": tf.io.FixedLenFeature([], tf.float32, 10.0),
            "unit": tf.io.FixedLenFeature([], tf.string, ""),
        })
        share = tf.cast(features["size"], tf.float32) / features["limit"]
        return {
            "classes": tf.stack([tf.strings.join(["large", features["unit"]]), tf.strings.join(["small", features["unit"]])], 1),
            "scores": tf.stack([share, 1.0 - share], 1),
        }

    @tf.function(input_signature=[spec([None], tf.string, "inputs")])
    def forgetful(self, inputs):
        """Answers one example only."""
        return {"outputs": tf.cast(tf.strings.length(inputs), tf.float32)[:1]}


class Picky(tf.Module):
    """Fails inside its graph for negative input."""

    @tf.function(input_signature=[spec([None, 2], tf.float32, "x")])
    def serve(self, x):
        check = tf.debugging.assert_non_negative(x, message="the model takes no negative numbers")
        with tf.control_dependencies([check]):
            return {"sum": tf.matmul(x, tf.ones([2, 1]))[:, 0]}


class Unfit(tf.Module):
    """Has no answer for negative input, and does not say so."""

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def serve(self, x):
        return {"y": tf.sqrt(x)}


class Ragged(tf.Module):
    """Rows of any length."""

    @tf.function(input_signature=[spec([None, None], tf.float32, "x"), spec([None, None], tf.string, "text")])
    def serve(self, x, text):
        return {"sum": tf.reduce_sum(x, axis=1), "same": tf.identity(x), "joined": tf.strings.reduce_join(text, axis=1)}


class Strings(tf.Module):
    """Text in, text and binary out."""

    @tf.function(input_signature=[spec([None], tf.string, "text")])
    def serve(self, text):
        return {"upper": tf.strings.upper(text), "copy_bytes": tf.identity(text)}


class Many(tf.Module):
    """Two inputs of different types, three outputs."""

    @tf.function(input_signature=[spec([None, 3], tf.int64, "a"), spec([None], tf.bool, "flip")])
    def serve(self, a, flip):
        sign = tf.where(flip, tf.constant(-1, tf.int64), tf.constant(1, tf.int64))
        return {
            "signed": a * sign[:, None],
            "mean": tf.reduce_mean(tf.cast(a, tf.float64), axis=1),
            "half": tf.cast(a, tf.float16),
        }


class Mlp(tf.Module):
    """Enough operations in a row for a compiler to have something to put together."""

    def __init__(self):
        super().__init__()
        self.first = tf.Variable(tf.random.stateless_normal([8, 16], [1, 2]))
        self.second = tf.Variable(tf.random.stateless_normal([16, 4], [3, 4]))

    @tf.function(input_signature=[spec([None, 8], tf.float32, "x")])
    def serve(self, x):
        return {"y": tf.nn.softmax(tf.nn.relu(x @ self.first + 0.1) @ self.second - 0.1)}


class Types(tf.Module):
    """Gives back every input, one of each type that the Open Inference Protocol has."""

    TYPES = [tf.bool, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.float16,
             tf.bfloat16, tf.float32, tf.float64, tf.string]

    def __init__(self):
        super().__init__()
        inputs = {dtype.name: spec([None], dtype, dtype.name) for dtype in self.TYPES}
        self.serve = tf.function(self.echo).get_concrete_function(**inputs)

    def echo(self, **inputs):
        return {f"{name}_out": tf.identity(tensor) for name, tensor in inputs.items()}


class Slow(tf.Module):
    """Works for a while, so that a request can be in flight; the time grows with x."""

    @tf.function(input_signature=[spec([], tf.int32, "rounds")])
    def serve(self, rounds):
        size = 256
        result = tf.while_loop(
            lambda i, m: i < rounds,
            lambda i, m: (i + 1, tf.tanh(tf.matmul(m, m))),
            (tf.constant(0), tf.ones([size, size]) / size),
        )
        return {"done": result[0], "trace": tf.linalg.trace(result[1])}


def save(module, folder):
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


def save_with_methods(folder, module, **methods):
    """methods: the signatures that are not for predict, each with its method's name. TensorFlow 2 writes "predict" for all,
    so they are set afterwards."""
    signatures = {name: getattr(module, name) for name in methods}
    if hasattr(module, "serve"):
        signatures["serving_default"] = module.serve
    tf.saved_model.save(module, str(folder), signatures=signatures)
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    for name, method in methods.items():
        updater.replace_method_name(signature_key=name, method_name=f"tensorflow/serving/{method}")
    updater.save()


def save_half_plus_two(folder):
    save_with_methods(folder, HalfPlusTwo(), classify_x_to_y="classify", regress_x_to_y="regress", classify_as_predict="predict",
                      no_rows="predict", total="predict")


def save_shared(folder):
    """Classify and regress in the style of TensorFlow 1: both signatures feed one placeholder."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inputs = tf.compat.v1.placeholder(tf.string, [None], name="examples")
        x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        half = tf.compat.v1.get_variable("half", initializer=0.5, use_resource=True)
        y = half * x + 2.0
        utils = tf.compat.v1.saved_model.signature_def_utils
        builder = tf.compat.v1.saved_model.builder.SavedModelBuilder(str(folder))
        session.run(tf.compat.v1.global_variables_initializer())
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map={
            "serving_default": utils.regression_signature_def(inputs, y),
            "classify_x_to_y": utils.classification_signature_def(inputs, None, y),
        })
        builder.save()


def save_untagged(folder):
    """A TensorFlow 1 style SavedModel of which no graph is tagged `serve`."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.constant(1.0, name="one")
        builder = tf.compat.v1.saved_model.builder.SavedModelBuilder(str(folder))
        builder.add_meta_graph_and_variables(session, ["train"])
        builder.save()


def save_twice(folder):
    """y = 2 * x by the custom op TidegateTwice: made of a model that squares, since TensorFlow here has no such op."""
    module = tf.Module()
    module.serve = tf.function(lambda x: {"y": tf.square(x)}, input_signature=[spec([None], tf.float32, "x")])
    save(module, folder)
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    changed = 0
    graph = saved.meta_graphs[0].graph_def
    for node in [*graph.node, *(node for function in graph.library.function for node in function.node_def)]:
        if node.op == "Square":
            node.op = "TidegateTwice"
            del node.attr["T"]
            changed += 1
    assert changed
    path.write_bytes(saved.SerializeToString())


def main():
    root = pathlib.Path(sys.argv[1])
    save_half_plus_two(root / "half_plus_two" / "123")
    save_with_methods(root / "sizes" / "1", Sizes(), classify="classify", forgetful="regress")
    save_shared(root / "shared" / "5")
    save(HalfPlusTwo(3.0), root / "half_plus_three" / "124")
    save(Picky(), root / "picky" / "1")
    save(Unfit(), root / "unfit" / "1")
    save(Ragged(), root / "ragged" / "1")
    save(Strings(), root / "strings" / "1")
    save(Many(), root / "many" / "1")
    save(Mlp(), root / "mlp" / "1")
    save(Types(), root / "types" / "1")
    save(Slow(), root / "slow" / "1")
    save_twice(root / "twice" / "1")
    save_untagged(root / "untagged" / "1")


if __name__ == "__main__":
    main()
