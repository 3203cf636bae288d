"""The benchmarks' packages, `runtime` and `scale`, and their programs."""
import importlib.machinery
import importlib.util
import pathlib
import sys

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH / "runtime"), str(BENCH / "scale")]


def program(path):
    """One of bench's programs, whose names have no ending, as a module: program("scale/measure")."""
    loader = importlib.machinery.SourceFileLoader(path.replace("/", "_"), str(BENCH / path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module
