#!/usr/bin/env python3
"""reload_cycles.py FOLDER [--cycles=1000]: unloads and loads a SavedModel, an ONNX and a TFLite model that many times, with a
request each time, and writes what memory the server had after each into FOLDER (CSV, and a plot of all as reload.svg). The
exit status is 1 when it grows. TIDEGATE_BUILD names the build folder."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import requests
import reloading
from conftest import HERE, Runtime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--cycles", type=int, default=1000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    curves, grows = {}, False
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for maker in ("make_models.py", "make_onnx_models.py", "make_tflite_models.py"):
            subprocess.run([sys.executable, HERE / maker, folder / "models"], check=True)
        for name, (model, body) in reloading.MODELS.items():
            runtime = Runtime(folder / name, model, "--allow-model-control", base_path=folder / "models" / model)
            runtime.session = requests.Session()
            curves[name] = samples = reloading.sample(runtime, body, options.cycles)
            runtime.close()
            reloading.write_csv(options.folder / f"reload-{name.lower()}.csv", samples)
            growth = reloading.growth_a_cycle(samples)
            grows = grows or growth > reloading.MOST_BYTES_A_CYCLE
            print(f"{name:10} {options.cycles} cycles: {samples[0][1] >> 20} MiB before, {samples[-1][1] >> 20} MiB after, "
                  f"{growth / 1024:+.2f} KiB a cycle over the last three quarters, descriptors {samples[0][2]} -> {samples[-1][2]}",
                  flush=True)
    reloading.write_svg(options.folder / "reload.svg", curves)
    sys.exit(grows)


if __name__ == "__main__":
    main()
