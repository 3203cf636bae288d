"""validate, compare and bench: models in the hand, without a server."""

import json
import shutil
import subprocess

import pytest
from conftest import RUNTIME, run


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
    inputs.write_text('{"code": "INTERNAL", "inputs": [[1.0]]}\n{"code": "OK", "inputs": [2.0]}\n')
    told = run("compare", models / "half_plus_two/123", models / "half_plus_three/124", f"--inputs={inputs}")
    assert told.returncode == 0 and "1 elements, 1 differ" in told.stdout
    assert "1 records of requests that had failed were passed over" in told.stderr
    wrong = run("compare", models / "half_plus_two/123", models / "half_plus_two/123", "--signature=none")
    assert wrong.returncode == 2 and "has no signature none; it has: classify_as_predict, " in wrong.stderr


def test_bench_measures_closed_and_open_loops(models):
    closed = json.loads(run("bench", models / "half_plus_two/123", "--seconds=0.3", "--warm-up-seconds=0.1", "--json").stdout)
    assert closed["failed"] == 0 and closed["answered"] > 0
    assert 0 < closed["p50Microseconds"] <= closed["p95Microseconds"] <= closed["p99Microseconds"]
    told = run("bench", models / "half_plus_two/123", "--rate=200", "--threads=2", "--seconds=0.5", "--warm-up-seconds=0", "--json")
    assert json.loads(told.stdout)["answered"] == 100
    assert "us of CPU a request" in run("bench", models / "half_plus_two/123", "--seconds=0.1").stdout


def test_validate_tells_a_model_that_cannot_be_served_from_a_folder_that_holds_none(models, tmp_path):
    told = run("validate", models / "untagged/1", "--json")
    report = json.loads(told.stdout)
    assert told.returncode == 1 and not report["valid"]
    assert report["signatures"][0]["faults"][0] in told.stderr
    none = run("validate", models / "half_plus_two")
    assert none.returncode == 2 and "holds no model" in none.stderr and "found: 123/" in none.stderr


def test_validate_says_once_that_random_input_is_refused(models):
    told = run("validate", models / "onnx_picky/1", "--json")
    faults, = [one["warnings"] for one in json.loads(told.stdout)["signatures"] if one["signature"] == "serving_default"]
    assert told.returncode == 0 and len(faults) == 1 and "it refuses 3 of 3 random inputs, the last with: " in faults[0]


def test_compare_says_which_inputs_have_other_types(models):
    told = run("compare", models / "onnx_half_plus_two/1", models / "onnx_picky/1")
    assert told.returncode == 2 and "x is float before, " in told.stderr and " is int64 after" in told.stderr


def test_compare_refuses_to_judge_labels_where_there_are_none(models):
    told = run("compare", models / "onnx_half_plus_two/1", models / "onnx_half_plus_two/1", "--min-agreement=0.9")
    assert told.returncode == 2 and "--min-agreement is about labels, and no output has any" in told.stderr


def test_compare_takes_strings_that_differ_for_more_than_any_difference(models):
    folder = models / "onnx_strings/1"
    told = run("compare", folder, folder, "--max-difference=0")
    assert told.returncode == 0 and "256 elements, 0 differ\n" in told.stdout


def test_bench_ends_though_the_model_cannot_keep_up(models):
    told = run("bench", models / "onnx_half_plus_two/1", "--rate=1e12", "--seconds=0.2", "--warm-up-seconds=0", "--json")
    report = json.loads(told.stdout)
    assert told.returncode == 0 and report["missed"] > 0 and report["answered"] > 0
    slow = json.loads(run("bench", models / "onnx_half_plus_two/1", "--rate=1", "--seconds=0.3", "--warm-up-seconds=0", "--json").stdout)
    assert slow["answered"] == 1 and slow["missed"] == 0 and slow["requestsPerSecond"] < 4


@pytest.mark.parametrize("command", ["inspect", "validate"])
def test_a_report_that_a_full_disk_has_cut_is_no_success(models, command):
    with open("/dev/full", "w") as full:
        told = subprocess.run([RUNTIME, command, models / "onnx_half_plus_two/1"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert told.returncode == 2 and "the report cannot be written" in told.stderr


def test_inputs_that_cannot_be_read_are_told_with_the_flag(models, tmp_path):
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file or directory")):
        told = run("bench", models / "onnx_half_plus_two/1", f"--inputs={path}")
        assert told.returncode == 2 and f"cannot read --inputs={path}: {why}" in told.stderr


def test_the_command_line_says_what_is_wrong(models):
    assert run("bench", models / "half_plus_two/123", "--threads=0").returncode != 0
    assert "folder" in run("validate").stderr
