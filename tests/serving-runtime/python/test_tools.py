"""validate, compare and bench: models in the hand, without a server."""

import json
import shutil
import subprocess

import pytest
from conftest import RUNTIME


def run(*arguments):
    return subprocess.run([RUNTIME, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_validate_finds_a_good_model_good(models):
    told = run("validate", models / "half_plus_two/123")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "runs on tensorflow" in told.stdout and "serving_default: 3 runs, fine" in told.stdout
    report = json.loads(run("validate", models / "half_plus_two/123", "--json").stdout)
    assert report["valid"] and report["backend"] == "tensorflow"


def test_validate_finds_nan_and_what_cannot_be_loaded(models, tmp_path):
    told = run("validate", models / "unfit/1", "--json")
    report = json.loads(told.stdout)
    assert told.returncode == 1 and not report["valid"]
    faults = {one["signature"]: one["faults"] for one in report["signatures"]}
    assert faults["serving_default"] == ["output y has NaN"]
    shutil.copytree(models / "half_plus_two/123", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut/variables")
    assert run("validate", tmp_path / "cut").returncode == 1
    none = run("validate", tmp_path / "none")
    assert none.returncode == 2 and "none" in none.stderr


def test_compare_tells_how_far_two_models_are_apart(models):
    same = run("compare", models / "half_plus_two/123", models / "half_plus_two/123", "--max-difference=0", "--json")
    assert same.returncode == 0, same.stderr
    (output,) = json.loads(same.stdout)["outputs"].values()
    assert output["elements"] == 32 * 8 and output["unequal"] == 0 and output["maxAbsolute"] == 0
    apart = run("compare", models / "half_plus_two/123", models / "half_plus_three/124", "--max-difference=0.5", "--json")
    assert apart.returncode == 1
    (output,) = json.loads(apart.stdout)["outputs"].values()
    assert output["maxAbsolute"] == pytest.approx(1) and output["meanAbsolute"] == pytest.approx(1)


def test_compare_takes_recorded_inputs_and_says_what_does_not_fit(models, tmp_path):
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text('{"instances": [2.0, 4.0]}\n')
    told = run("compare", models / "half_plus_two/123", models / "half_plus_three/124", f"--inputs={inputs}")
    assert told.returncode == 0 and "2 elements, 2 differ; |a - b| mean 1, max 1" in told.stdout
    wrong = run("compare", models / "half_plus_two/123", models / "half_plus_two/123", "--signature=none")
    assert wrong.returncode == 2 and "has no signature none; it has: " in wrong.stderr


def test_bench_measures_closed_and_open_loops(models):
    closed = json.loads(run("bench", models / "half_plus_two/123", "--seconds=0.3", "--warm-up-seconds=0.1", "--json").stdout)
    assert closed["failed"] == 0 and closed["answered"] > 0
    assert 0 < closed["p50Microseconds"] <= closed["p95Microseconds"] <= closed["p99Microseconds"]
    told = run("bench", models / "half_plus_two/123", "--rate=200", "--threads=2", "--seconds=0.5", "--warm-up-seconds=0", "--json")
    assert json.loads(told.stdout)["answered"] == 100
    assert "us of CPU a request" in run("bench", models / "half_plus_two/123", "--seconds=0.1").stdout


def test_the_command_line_says_what_is_wrong(models):
    assert run("bench", models / "half_plus_two/123", "--threads=0").returncode != 0
    assert "folder" in run("validate").stderr
