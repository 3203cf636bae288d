"""The pure parts of bench/runtime: requests and answers on the wire, what load generators print, the tables and goals."""
import json
import struct

import pytest
from conftest import program
from runtime import load, payloads, process_tree, report, wire
from runtime.catalogue import LOADING, SERVERS
from runtime.loading import PHASES as LOADING_PHASES, order
from runtime.measure import Bench, Case, ask_rest, cases_of, check
from runtime.payloads import PAYLOADS, Request
from scale.processes import CannotRun
from tritonclient.grpc import service_pb2


# Requests and answers

@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63 - 1])
def test_a_number_is_read_as_it_was_written(number):
    assert list(wire.fields(wire.field(3, number))) == [(3, number)]


def test_a_message_that_is_cut_is_no_message():
    for cut in (wire.field(1, "text")[:-1], b"\x08", b"\x08\x80"):
        with pytest.raises(ValueError):
            list(wire.fields(cut))


def test_a_field_that_is_not_there_is_an_error_and_not_a_default():
    with pytest.raises(KeyError):
        wire.last(wire.field(1, "a"), 2)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_request_over_grpc_is_what_tritonclient_reads(name):
    payload = PAYLOADS[name]
    frame = payloads.request("oip-grpc", payload).body
    compressed, length = wire.FRAME_HEAD.unpack(frame[:5])
    asked = service_pb2.ModelInferRequest.FromString(frame[5:])
    assert (compressed, length) == (0, len(frame) - 5)
    assert (asked.model_name, asked.inputs[0].name, asked.inputs[0].datatype) == (payload.model, "x", "FP32")
    assert list(asked.inputs[0].shape) == payload.shape
    count = len(payload.values())
    assert struct.unpack(f"<{count}f", asked.raw_input_contents[0]) == pytest.approx(payload.values())


def test_the_answer_over_grpc_is_read_as_tritonclient_writes_it():
    answer = service_pb2.ModelInferResponse(model_name="m", raw_output_contents=[struct.pack("<2f", 2.5, 3)])
    answer.outputs.add(name="y", datatype="FP32", shape=[2])
    assert payloads.answered_values("oip-grpc", answer.SerializeToString()) == [2.5, 3]


def test_the_answer_of_predict_is_read_from_the_typed_field():
    tensor = wire.field(1, 1) + wire.field(5, struct.pack("<2f", 2.5, 3))
    answer = wire.field(2, wire.field(1, "m")) + wire.field(1, wire.field(1, "y") + wire.field(2, tensor))
    assert payloads.answered_values("tfs-grpc", answer) == [2.5, 3]


def test_predict_names_the_model_and_its_input():
    asked = payloads.request("tfs-grpc", PAYLOADS["small"]).body[5:]
    assert wire.last(asked, 1, 1) == b"half_plus_two"
    assert (wire.last(asked, 2, 1), wire.last(asked, 2, 2, 1), wire.last(asked, 2, 2, 2, 2, 1)) == (b"x", payloads.FLOAT, 3)
    assert struct.unpack("<3f", wire.last(asked, 2, 2, 4)) == (1, 2, 5)


@pytest.mark.parametrize("protocol, body", [("tfs-rest", {"predictions": [[1.0, 2.0], [3.0, 4.0]]}),
                                            ("oip-rest", {"outputs": [{"name": "y", "data": [1.0, 2.0, 3.0, 4.0]}]})])
def test_the_numbers_of_a_json_answer_are_flat(protocol, body):
    assert payloads.answered_values(protocol, json.dumps(body).encode()) == [1, 2, 3, 4]


def test_binary_tensors_stand_behind_the_json_on_both_ways():
    asked = payloads.request("oip-rest-binary", PAYLOADS["large"])
    head = int(dict(asked.headers)["Inference-Header-Content-Length"])
    told = json.loads(asked.body[:head])["inputs"][0]
    assert told["parameters"]["binary_data_size"] == len(asked.body) - head == 256 * 784 * 4
    assert payloads.answered_values("oip-rest-binary", b"{}" + struct.pack("<2f", 1, 2), 2) == [1, 2]


def test_a_wrong_answer_stops_a_measurement():
    check([1.0, 2.0], [1.0, 2.0001])
    for wrong in ([1.0], [1.0, 2.1], [1.0, float("nan")]):
        with pytest.raises(CannotRun):
            check(wrong, [1.0, 2.0])


# Load generators

def test_wrk_tells_answers_and_times():
    counts = load.parse_wrk("Running 1s test\nRESULT 1000 2000000 120 900 0 0 0 0 0\nRequests/sec: 500\n")
    assert counts == load.Counts(1000, 0, 2.0, 120, 900)


def test_every_fault_that_wrk_tells_is_a_failure():
    assert load.parse_wrk("RESULT 1000 2000000 1 1 7 1 2 3 4\n") == load.Counts(993, 17, 2.0, 1, 1)


def test_a_generator_that_says_nothing_has_not_measured():
    for text in ("", "RESULT 1 2\n", "unable to connect to 127.0.0.1:1 Connection refused"):
        with pytest.raises(load.BadOutput):
            load.parse_wrk(text)
        with pytest.raises(load.BadOutput):
            load.parse_h2load(text, "", 1, 10)


def h2load_output(done, failed=0, data=0):
    return (f"finished in 1.00s, 4.00 req/s, 1.02MB/s\n"
            f"requests: {done} total, {done + 32} started, {done} done, {done - failed} succeeded, {failed} failed, 0 errored, 0 timeout\n"
            f"status codes: {done} 2xx, 0 3xx, 0 4xx, 0 5xx\n"
            f"traffic: 1.02MB (1067535) total, 238.57KB (244296) headers (space savings 95.83%), 595.72KB ({data}) data\n")


LOG = "100\t200\t50\n120\t200\t10\n130\t200\t30\n140\t200\t20\n"


def test_h2load_tells_answers_and_times():
    assert load.parse_h2load(h2load_output(4, data=400), LOG, 1, 100) == load.Counts(4, 0, 1, 20, 50)


def test_a_call_that_failed_in_grpc_is_seen_by_the_data_that_did_not_come():
    counts = load.parse_h2load(h2load_output(4, data=300), LOG, 1, 100)
    assert (counts.answered, counts.failed) == (3, 1)


def test_calls_that_failed_in_http_are_counted_once():
    log = LOG + "150\t503\t5\n160\t-1\t5\n"
    counts = load.parse_h2load(h2load_output(6, failed=2, data=400), log, 1, 100)
    assert (counts.answered, counts.failed) == (4, 2)


def test_no_answer_at_all_is_a_failure():
    counts = load.parse_h2load(h2load_output(0), "", 1, 100)
    assert (counts.answered, counts.failed) == (0, 1)


def test_a_constant_rate_lets_requests_overtake_one_another():
    assert "-m1" in load.h2load_command("u", "b", 8, 1, "l") and "--rps=125" in load.h2load_command("u", "b", 8, 1, "l", 125)


@pytest.mark.parametrize("share, expected", [(0.5, 5), (0.99, 10), (0.1, 1), (0, 1)])
def test_a_quantile_is_a_number_that_was_measured(share, expected):
    assert load.quantile(list(range(1, 11)), share) == expected


def test_a_process_counts_with_the_children_that_it_has_buried():
    stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 20 30 4 20 0"
    assert process_tree.parse_cpu(stat) == pytest.approx(154 / process_tree.TICKS)


# Cases, tables, goals

def test_small_tensors_go_as_text_over_rest():
    names = [case.name for case in cases_of(SERVERS["onnx"], [1, 32])]
    assert "small/oip-rest-binary/1" not in names and "large/oip-rest-binary/32" in names and "small/tfs-grpc/1" in names


def test_batching_is_measured_at_its_number_of_connections_alone():
    assert {case.connections for case in cases_of(SERVERS["onnx-batched"], [1, 32])} == {32}


def test_every_server_has_a_name_of_its_own():
    assert all(name == kind.name and kind.title for name, kind in {**SERVERS, **LOADING}.items())


def sample(cpu_us, failed=0, **more):
    return {"answered": 100, "failed": failed, "cpu_us": cpu_us, "per_second": 1000, "p50_us": 10, "p99_us": 20, **more}


def test_a_number_is_the_median_of_the_rounds():
    found = report.summary([sample(30), sample(10), sample(20)])
    assert (found["cpu_us"], found["cpu_us_range"]) == (20, [10, 30])


def test_one_failed_answer_leaves_no_number():
    assert report.summary([sample(30), sample(10, failed=2)]) == {"error": "2 of 202 requests failed"}
    assert report.summary([sample(30), {"error": "BadOutput: gone\nmore"}]) == {"error": "BadOutput: gone"}


def results(**small):
    """Samples at 32 connections: {"oip_rest": {"onnx": 20}}."""
    return {"cells": {f"small/{protocol.replace('_', '-')}/32": {name: [sample(cpu)] for name, cpu in cell.items()}
                      for protocol, cell in small.items()}, "limits": {}, "loading": {}}


@pytest.mark.parametrize("ours, verdict", [(20, "met"), (21.5, "met"), (22, "missed")])
def test_a_goal_compares_what_was_measured_in_one_run(ours, verdict):
    (goal, _, found), = report.goals(results(oip_rest={"onnx": ours, "triton": 43}))
    assert (found, "Triton" in goal) == (verdict, True)


def test_a_goal_without_both_sides_is_not_told():
    assert report.goals(results(oip_rest={"onnx": 20})) == []


def loading_rounds(*loading, busy=150):
    return [{**{f"{phase}_p50_us": 1 for phase in LOADING_PHASES}, "quiet_p99_us": 100, "loading_p99_us": tail, "busy_p99_us": busy,
             "loads": 2, "failed": 0, "answered": 9} for tail in loading]


def test_the_tail_is_compared_round_by_round():
    found = report.tail(loading_rounds(110, 130, 120))
    assert found["loading"] == pytest.approx([1.15, 1.2, 1.25]) and found["busy"] == pytest.approx([1.5] * 3)
    assert (found["loads"], found["loading_p99_us"]) == (6, 120)
    assert report.tail(loading_rounds(110))["loading"] == pytest.approx([1.1] * 3)


def test_a_tail_of_which_a_request_failed_is_none():
    one, other = loading_rounds(110, 110)
    assert report.tail([one, {**other, "failed": 1}]) == {"error": "1 of 10 requests failed"}
    assert report.tail([one, {**other, "error": "BadStatusLine: x"}]) == {"error": "BadStatusLine: x"}


@pytest.mark.parametrize("loading, verdict", [(120, "met"), (121, "missed")])
def test_a_busy_process_excuses_no_tail(loading, verdict):
    (_, measured, found), = report.goals({"cells": {}, "loading": {"onnx-loading": loading_rounds(loading)}})
    assert (found, "1.50 x beside a busy process" in measured) == (verdict, True)


def test_a_goal_is_for_a_generator_that_has_to_wait_like_others():
    assert report.goals({"cells": {}, "loading": {"onnx-loading, generator first": loading_rounds(110)}}) == []


def test_each_phase_of_loading_has_each_place_equally_often():
    orders = [order(number) for number in range(6)]
    assert {(phase, place): sum(one[place] == phase for one in orders) for phase in LOADING_PHASES for place in range(3)} == {
        (phase, place): 2 for phase in LOADING_PHASES for place in range(3)}


def test_a_server_that_is_not_there_has_a_row_that_says_so():
    text = report.tables(results(oip_rest={"onnx": 20}), [
        ("onnx", "Ours", None, ["small/oip-rest"]),
        ("triton", "Triton", "TRITON_ONNX_BACKEND is not set", ["small/oip-rest"])], [1, 32])
    assert "| Triton | oip-rest | not run: TRITON_ONNX_BACKEND is not set |" in text
    ours = next(line for line in text.splitlines() if line.startswith("| Ours"))
    assert ours.split(" | ")[5:8] == ["20.0", "1,000", "10.0 / 20.0"]


def test_cases_are_chosen_by_pattern():
    measure = program("runtime/measure")
    options = measure.parse(["--servers=onnx,null", "--cases=small/*/32,large/oip-grpc/1"])
    chosen = [case.name for case in measure.wanted_cases(SERVERS["onnx"], options)]
    assert "small/tfs-rest/32" in chosen and "large/oip-grpc/1" in chosen and "small/tfs-rest/1" not in chosen
    assert options.servers == ["onnx", "null"]


def test_an_unknown_server_is_refused(capsys):
    with pytest.raises(SystemExit):
        program("runtime/measure").parse(["--servers=apache"])
    assert "there is no 'apache'" in capsys.readouterr().err


class Answering:
    """A bench whose servers answer at once; keeps who was asked what, in order."""

    def __init__(self):
        self.pids, self.asked = {"a": 1, "b": 2}, []

    def measure(self, server, case):
        self.asked.append((case.name, server.name))


def test_servers_take_turns_case_by_case_and_every_second_round_the_other_way_round():
    server = lambda name: type("Server", (), {"name": name, "stays": True})  # noqa: E731
    cases = [Case("small", "oip-rest", 1), Case("small", "oip-rest", 32)]
    plan, bench = [(server("a"), cases), (server("b"), cases)], Answering()
    program("runtime/measure").run_round(bench, 0, plan, None)
    program("runtime/measure").run_round(bench, 1, plan, None)
    assert [name for _, name in bench.asked] == ["a", "b", "a", "b", "b", "a", "b", "a"]
    assert [case for case, _ in bench.asked][:4] == ["small/oip-rest/1"] * 2 + ["small/oip-rest/32"] * 2


class Child:
    """A process that ends when it is told to."""

    def __init__(self):
        self.returncode = None

    def poll(self):
        return self.returncode


@pytest.fixture
def bench(monkeypatch):
    """Of one server, "a", that lives, and notes what is done with it."""
    made = Bench.__new__(Bench)
    made.results, made.seconds, made.pids, made.suspects = {"cells": {}}, 1, {"a": 1}, set()
    made.tried, made.done = {("a", SMALL): 0}, []
    made.processes = type("Processes", (), {"children": {"a": Child()}})
    monkeypatch.setattr(process_tree, "cpu_seconds", lambda _: 0.0)
    monkeypatch.setattr(process_tree, "memory_mib", lambda _: 1.0)
    monkeypatch.setattr(made, "stop", lambda _: made.done.append("stop"))
    monkeypatch.setattr(made, "start", lambda _: (made.done.append("start"), made.processes.children.update(a=Child())))
    return made


SMALL = Case("small", "oip-rest", 1)
SERVER = type("Server", (), {"name": "a", "title": "A"})


def test_what_a_server_answered_before_it_died_is_no_result_and_it_is_started_anew(bench, monkeypatch):
    dies = [True, False]

    def ask(*_):
        bench.processes.children["a"].returncode = -11 if dies.pop(0) else None
        return load.Counts(5, 0, 1, 1, 1)
    monkeypatch.setattr(bench, "_load", ask)
    assert "died" in bench.measure(SERVER, SMALL)["error"]
    assert bench.measure(SERVER, SMALL)["answered"] == 5
    assert bench.done == ["stop", "start"]


def test_a_server_that_answers_nothing_has_no_result_and_is_started_anew(bench, monkeypatch):
    answered = [0, 5]
    monkeypatch.setattr(bench, "_load", lambda *_: load.Counts(answered.pop(0), 0, 1, 1, 1))
    assert "answered nothing" in bench.measure(SERVER, SMALL)["error"]
    assert bench.measure(SERVER, SMALL)["answered"] == 5
    assert bench.done == ["stop", "start"]


def test_an_answer_of_another_status_is_an_error(tmp_path):
    import http.server
    import threading

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with pytest.raises(CannotRun, match="503"):
        ask_rest(f"http://127.0.0.1:{server.server_port}/x", Request(b"{}"))
    server.server_close()
