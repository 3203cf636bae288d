"""Makes the TFLite models that the runtime's tests serve: make_tflite_models.py FOLDER."""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name=name)


class Half(tf.Module):
    """y = x / 2 + offset, any number at once."""

    def __init__(self, offset=2.0):
        super().__init__()
        self.offset = tf.constant(offset)

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def serve(self, x):
        return {"y": 0.5 * x + self.offset}


class Several(tf.Module):
    """Signatures whose names are in another order than in the file, with inputs and outputs in another order than their
    names."""

    @tf.function(input_signature=[spec([None, 2], tf.float32, "z"), spec([None, 2], tf.float32, "a")])
    def serving_default(self, z, a):
        return {"less": z - a, "both": tf.concat([z, a], 1)}

    @tf.function(input_signature=[spec([3], tf.float32, "v")])
    def double(self, v):
        return {"twice": 2.0 * v}


class Dense(tf.Module):
    """Two layers, so that there is something to quantise."""

    def __init__(self):
        super().__init__()
        random = np.random.default_rng(7)
        self.first = tf.constant(random.normal(size=(4, 8)), tf.float32)
        self.second = tf.constant(random.normal(size=(8, 3)), tf.float32)

    @tf.function(input_signature=[spec([None, 4], tf.float32, "x")])
    def serve(self, x):
        return {"scores": tf.nn.softmax(tf.matmul(tf.nn.relu(tf.matmul(x, self.first)), self.second))}


class Types(tf.Module):
    """Element types other than float."""

    @tf.function(input_signature=[spec([None, 3], tf.int64, "a"), spec([None, 1], tf.bool, "flip"),
                                  spec([2], tf.uint8, "bytes"), spec([], tf.int32, "scalar")])
    def serve(self, a, flip, bytes, scalar):
        return {
            "signed": tf.where(flip, -a, a),
            "positive": a > 0,
            "half": tf.cast(a, tf.float16),
            "backwards": tf.reverse(bytes, [0]),
            "next": scalar + 1,
        }


class Handed(tf.Module):
    """Outputs that nothing computes: an input and a constant."""

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def serve(self, x):
        return {"same": tf.identity(x), "constant": tf.constant([1.0, 2.0]), "more": x + 1.0}


class Dynamic(tf.Module):
    """An output whose size depends on values."""

    @tf.function(input_signature=[spec([4], tf.float32, "x")])
    def serve(self, x):
        return {"where": tf.where(x > 0)}


class Names(tf.Module):
    """An output of strings."""

    @tf.function(input_signature=[spec([2], tf.int32, "index")])
    def serve(self, index):
        return {"names": tf.gather(tf.constant(["zero", "one", "two"]), index)}


class Counter(tf.Module):
    """Remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.sum = tf.Variable(tf.zeros([1]))

    @tf.function(input_signature=[spec([1], tf.float32, "x")])
    def serve(self, x):
        return {"sum": self.sum.assign_add(x)}


class Rows(tf.Module):
    """Fails inside its graph for a row that there is not."""

    @tf.function(input_signature=[spec([None], tf.int32, "row")])
    def serve(self, row):
        return {"value": tf.gather(tf.constant([1.0, 2.0, 3.0]), row)}


def convert(folder, module, settings=lambda converter: None):
    saved = folder.parent / f".saved-{folder.name}"
    tf.saved_model.save(module, str(saved), signatures={"serving_default": module.serve})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    settings(converter)
    write(folder, converter.convert())


def convert_several(folder, module):
    functions = [module.serving_default.get_concrete_function(), module.double.get_concrete_function()]
    write(folder, tf.lite.TFLiteConverter.from_concrete_functions(functions, module).convert())


def write(folder, content):
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(content)


def quantise(dtype):
    """Settings for integers throughout, inputs and outputs included."""

    def representative():
        random = np.random.default_rng(1)
        for _ in range(50):
            yield {"x": random.normal(size=(1, 4)).astype(np.float32)}

    def settings(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = dtype
        converter.inference_output_type = dtype

    return settings


def resources(converter):
    converter.experimental_enable_resource_variables = True


def change(source, folder, edit):
    """The model in `source` after edit(model), which changes the schema's objects."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(source.read_bytes(), 0))
    edit(model)
    write(folder, bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


def strip_signatures(model):
    """As an old converter would have written it."""
    model.signatureDefs = None


def custom_operator(name):
    """The first operator is another one, which TFLite has not got."""

    def edit(model):
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = name
        for operator in model.subgraphs[0].operators:
            if operator.opcodeIndex == 0:
                operator.builtinOptionsType, operator.builtinOptions = 0, None

    return edit


def main():
    root = pathlib.Path(sys.argv[1])
    convert(root / "lite_half" / "123", Half())
    convert(root / "lite_half_plus_three" / "124", Half(3.0))
    convert_several(root / "lite_several" / "1", Several())
    convert(root / "lite_dense" / "1", Dense())
    convert(root / "lite_int8" / "1", Dense(), settings=quantise(tf.int8))
    convert(root / "lite_uint8" / "1", Dense(), settings=quantise(tf.uint8))
    convert(root / "lite_types" / "1", Types())
    convert(root / "lite_handed" / "1", Handed())
    convert(root / "lite_dynamic" / "1", Dynamic())
    convert(root / "lite_names" / "1", Names())
    convert(root / "lite_counter" / "1", Counter(), settings=resources)
    convert(root / "lite_rows" / "1", Rows())
    half = root / "lite_half/123/model.tflite"
    change(half, root / "lite_unsigned" / "1", strip_signatures)
    change(half, root / "lite_custom" / "1", custom_operator("Sharpen"))
    change(half, root / "lite_flex" / "1", custom_operator("FlexErf"))


if __name__ == "__main__":
    main()
