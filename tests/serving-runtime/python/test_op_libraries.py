"""Custom TensorFlow ops: --op-libraries, and models whose ops nobody has registered."""

import pytest
from conftest import BUILD, failed_start, run

OP_LIBRARY = BUILD / "tests/serving-runtime/libtwice_op.so"


def test_a_model_whose_op_is_not_registered_is_told_by_the_ops_name_with_the_advice(start, models):
    code, message = failed_start(start, "twice", models / "twice")
    assert code == 1 and message["error"] == "ModelLoadFailed"
    assert "uses the op 'TidegateTwice'" in message["message"] and "--op-libraries" in message["message"]


def test_an_op_library_is_loaded_before_the_model_that_needs_it(start):
    runtime = start("twice", f"--op-libraries={OP_LIBRARY}")
    assert runtime.predict({"instances": [1.5, -2.0]}).json() == {"predictions": [3.0, -4.0]}


@pytest.mark.parametrize("model", ["twice", "onnx_half_plus_two"])
def test_an_op_library_that_cannot_be_loaded_ends_the_start_with_its_name(start, models, tmp_path, model):
    """Whatever models there are: a library that is missing must not show later."""
    text = tmp_path / "text.so"
    text.write_text("this is no shared object")
    short = tmp_path / "short.so"
    short.write_bytes(OP_LIBRARY.read_bytes()[:5000])  # opened, it would end the process with SIGBUS
    for path in (text, tmp_path / "none.so", short):
        code, message = failed_start(start, model, models / model, f"--op-libraries={OP_LIBRARY},{path}")
        assert code == 1 and f"the op library {path} of --op-libraries cannot be loaded into TensorFlow" in message["message"]


def test_the_tools_take_op_libraries_too(models):
    refused = run("validate", models / "twice/1")
    assert refused.returncode == 1 and "TidegateTwice" in refused.stderr
    assert run("validate", models / "twice/1", f"--op-libraries={OP_LIBRARY}").returncode == 0
