"""tools/check-includes on small trees made here."""
import pathlib
import subprocess

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check-includes"


@pytest.fixture
def check(tmp_path):
    """check({path: text}): the tool's exit code and output for a tree of these files and a few headers."""

    def run(files):
        headers = ["base/strings.h", "base/clock.h", "net/http_client.h", "kube/client.h", "stats/root.h", "api/types.h"]
        tree = {f"src/{header}": "#pragma once\n" for header in headers} | files
        for path, text in tree.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        done = subprocess.run([TOOL, "--root", tmp_path], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize(
    "path, included",
    [
        ("src/net/a.cc", "base/strings.h"),
        ("src/kube/a.cc", "net/http_client.h"),
        ("src/rollout/a.cc", "stats/root.h"),
        ("operator/a.cc", "kube/client.h"),
        ("serving-runtime/core/a.cc", "net/http_client.h"),
        ("src/stats/deep/a.cc", "stats/root.h"),
    ],
)
def test_an_allowed_arrow_passes(check, path, included):
    code, output = check({path: f'#include "{included}"\n'})
    assert (code, "0 faults" in output) == (0, True), output


@pytest.mark.parametrize(
    "path, included",
    [
        ("src/base/a.cc", "net/http_client.h"),
        ("src/net/a.cc", "kube/client.h"),
        ("src/api/a.cc", "stats/root.h"),
        ("src/rollout/a.cc", "kube/client.h"),
        ("src/xds/a.cc", "kube/client.h"),
        ("src/storage/a.h", "kube/client.h"),
        ("serving-runtime/core/a.cc", "kube/client.h"),
    ],
)
def test_any_other_arrow_fails_and_is_named_with_its_line(check, path, included):
    code, output = check({path: f'#pragma once\n#include "{included}"\n'})
    assert code == 1
    assert f"{path}:2: " in output and included in output


def test_nobody_includes_the_operator_or_the_model_server(check):
    code, output = check({"operator/a.h": "", "src/kube/a.cc": '#include "operator/a.h"\n'})
    assert code == 1 and "kube must not include operator/a.h" in output


def test_inside_the_model_server_arrows_run_one_way(check):
    front_end = {"serving-runtime/api/tfs/front.h": "", "serving-runtime/core/tensor.h": "", "serving-runtime/serve.h": ""}
    allowed = {"serving-runtime/api/oip/a.cc": '#include "serving-runtime/api/tfs/front.h"\n#include "serving-runtime/core/tensor.h"\n',
               "serving-runtime/serve.cc": '#include "serving-runtime/api/tfs/front.h"\n'}
    assert check(front_end | allowed)[0] == 0
    code, output = check(front_end | {"serving-runtime/core/a.cc": '#include "serving-runtime/api/tfs/front.h"\n'})
    assert code == 1 and "serving-runtime/core must not include serving-runtime/api/tfs/front.h" in output
    code, output = check(front_end | {"serving-runtime/core/a.cc": '#include "../api/tfs/front.h"\n'})
    assert code == 1 and "serving-runtime/core must not include ../api/tfs/front.h" in output


def test_a_way_around_through_a_relative_path_fails_too(check):
    code, output = check({"src/stats/a.cc": '#include "../kube/client.h"\n'})
    assert code == 1 and "stats must not include ../kube/client.h" in output


@pytest.mark.parametrize(
    "include", ["<chrono>", "<sys/socket.h>", "<spdlog/spdlog.h>", "<boost/asio.hpp>", "<thread>", '"base/clock.h"']
)
@pytest.mark.parametrize("folder", ["stats", "rollout", "traffic"])
def test_a_pure_folder_knows_no_clock_socket_log_or_loop(check, folder, include):
    code, output = check({f"src/{folder}/a.cc": f"#include {include}\n"})
    assert code == 1 and f"{folder} is pure" in output


def test_the_same_header_is_fine_elsewhere(check):
    assert check({"src/kube/a.cc": '#include <chrono>\n#include "base/clock.h"\n'})[0] == 0


@pytest.mark.parametrize("code", ["absl::Now()", "std::chrono::steady_clock::now()", "std::random_device device;"])
def test_only_a_main_makes_clocks_and_random_sources(check, code):
    text = f"void f() {{ {code}; }}\n"
    status, output = check({"operator/controller.cc": text})
    assert status == 1 and "operator/controller.cc:1" in output
    assert check({"operator/controller.cc": "", "operator/main.cc": text})[0] == 0


def test_a_clock_in_a_comment_is_no_clock(check):
    assert check({"operator/controller.cc": "// absl::Now() is for main.cc alone.\n"})[0] == 0


def test_a_quoted_header_that_is_nowhere_fails_unless_it_is_generated(check):
    assert check({"src/xds/a.cc": '#include "envoy/config/route/v3/route.pb.h"\n'})[0] == 0
    assert check({"src/xds/a.cc": '#include "base/missing.h"\n'})[0] == 1


def test_an_empty_tree_is_not_a_success(tmp_path):
    done = subprocess.run([TOOL, "--root", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "nothing to check" in done.stderr
