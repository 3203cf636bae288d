"""Loading and unloading gives back what it took. reload_cycles.py does it a thousand times and draws the curve."""

import pytest
import reloading
import requests


@pytest.mark.parametrize("format_name", reloading.MODELS)
def test_memory_and_descriptors_do_not_grow_with_reloads(start, format_name):
    model, body = reloading.MODELS[format_name]
    runtime = start(model, "--allow-model-control")
    runtime.session = requests.Session()
    samples = reloading.sample(runtime, body, reloading.CYCLES_IN_TEST)
    assert reloading.growth_a_cycle(samples) < reloading.MOST_BYTES_A_CYCLE, [memory for _, memory, _ in samples]
    assert samples[-1][2] <= samples[1][2] + 2, "descriptors stay open"
