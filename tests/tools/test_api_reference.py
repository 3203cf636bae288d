"""docs/api-fields.md says what the CRDs say."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_reference_of_all_fields_is_what_the_crds_say():
    done = subprocess.run([sys.executable, ROOT / "tools/api-reference", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
