"""Switches of TensorFlow: what its own log says when they are on."""

import numpy as np
import pytest

COMPILED = "Compiled cluster using XLA"
ONEDNN = "oneDNN custom operations are on"


@pytest.fixture
def talking(start, monkeypatch):
    """talking(*flags): a runtime whose TensorFlow logs its notes, and what it has logged after a prediction."""
    def run(*flags):
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
        runtime = start("mlp", *flags)
        answer = runtime.predict({"instances": np.ones((2, 8)).tolist()})
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"], runtime.log_path.read_text()
    return run


def test_xla_compiles_what_it_is_asked_to_and_answers_alike(talking):
    plain, log = talking()
    assert COMPILED not in log
    compiled, log = talking("--tensorflow-xla")
    assert COMPILED in log
    np.testing.assert_allclose(compiled, plain, rtol=1e-5)


def test_onednn_can_be_switched_off(talking):
    assert ONEDNN in talking()[1]
    assert ONEDNN not in talking("--tensorflow-onednn=false")[1]
