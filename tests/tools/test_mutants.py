"""The simulation's mutants still apply to the code that they are to break."""
import pathlib
import subprocess

RUN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "sim" / "mutants" / "run"


def test_every_mutant_applies_and_says_whose_class_of_bug_it_is():
    done = subprocess.run([RUN, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
