"""The results as Markdown tables, and against the goals. A number is the median of the rounds; where any answer of any
round failed there is no number."""
import statistics

from .catalogue import LOADING

LIMIT = "limit"              # the cell of the raw loop
AT = 32                      # connections at which the goals hold


def summary(samples):
    """{cpu_us, per_second, p50_us, p99_us, ...} of the rounds, or {error}."""
    if not samples:
        return {"error": "not run"}
    for sample in samples:
        if "error" in sample:
            return {"error": sample["error"].splitlines()[0][:100]}
    failed, answered = (sum(sample[what] for sample in samples) for what in ("failed", "answered"))
    if failed:
        return {"error": f"{failed} of {failed + answered} requests failed"}
    found = {what: statistics.median(sample[what] for sample in samples) for what in ("cpu_us", "per_second", "p50_us", "p99_us")}
    found["cpu_us_range"] = [pick(sample["cpu_us"] for sample in samples) for pick in (min, max)]
    found["memory_mib"] = max(sample.get("memory_mib", 0) for sample in samples)
    return found


def table(header, rows):
    return "\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header)] +
                     ["| " + " | ".join(row) + " |" for row in rows])


def tables(results, servers, connections):
    """One for each payload. `servers`: [(name, title, missing or None, [payload/protocol])] in the order of the rows."""
    parts = [_requests_table(results, servers, payload, connections) for payload in _payloads(servers)]
    parts += [_loading_table(results["loading"])] if results.get("loading") else []
    compared = goals(results)
    if compared:
        parts.append("## Goals\n\n" + table(("goal", "measured", ""), compared))
    return "\n\n".join(parts)


def _payloads(servers):
    return list(dict.fromkeys(case.split("/")[0] for *_, cases in servers for case in cases))


def _requests_table(results, servers, payload, connections):
    header = ["server", "protocol"]
    for count in connections:
        header += [f"{count} conn.: CPU µs", "req/s", "p50 / p99 µs"]
    rows = []
    for backend, samples in results.get("limits", {}).get(payload, {}).items():
        rows.append([f"no server: C API loop, {backend}", "", *_limit_cells(summary(samples), connections), ""])
    for name, title, missing, cases in servers:
        for case in cases:
            asked, protocol = case.split("/")
            if asked == payload:
                rows.append(_row(results, name, title, missing, case, protocol, connections))
    return f"## {payload}\n\n" + table([*header, "MiB"], rows)


def _row(results, name, title, missing, case, protocol, connections):
    if missing:
        return [title, protocol, f"not run: {missing}", *[""] * (3 * len(connections))]
    found = [summary(results["cells"].get(f"{case}/{count}", {}).get(name, [])) for count in connections]
    memory = max((one.get("memory_mib", 0) for one in found), default=0)
    return [title, protocol, *(cell for one in found for cell in _cells(one)), f"{memory:.0f}" if memory else ""]


def _cells(found):
    if "error" in found:
        return ["" if found["error"] == "not run" else found["error"], "", ""]
    return [_short(found["cpu_us"]), f"{found['per_second']:,.0f}", f"{_short(found['p50_us'])} / {_short(found['p99_us'])}"]


def _limit_cells(found, connections):
    return [*_cells(found), *[""] * (3 * (len(connections) - 1))]


def _short(number):
    """Three digits that mean something."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def _loading_table(loading):
    rows = []
    for name, samples in loading.items():
        found = tail(samples)
        if "error" in found:
            rows.append([name, found["error"], *[""] * 5])
        else:
            rows.append([name, *(f"{_short(found[f'{phase}_p50_us'])} / {_short(found[f'{phase}_p99_us'])}" for phase in
                                 ("quiet", "loading", "busy")), str(found["loads"]), _spread(found["loading"]), _spread(found["busy"])])
    return "## Another model is loaded beside it\n\n" + table(
        ("server", "at rest: p50 / p99 µs", "while loading", "beside a busy process", "loads", "p99, while loading / at rest",
         "p99, beside a busy process / at rest"), rows)


def _spread(quartiles):
    low, middle, high = quartiles
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def tail(samples):
    """Of the rounds of loading.measure(): medians, and the quartiles of the rounds' own ratios to their time at rest."""
    for sample in samples:
        if "error" in sample:
            return {"error": sample["error"]}
        if sample["failed"]:
            return {"error": f"{sample['failed']} of {sample['failed'] + sample['answered']} requests failed"}
    keys = (f"{phase}_{what}_us" for phase in ("quiet", "loading", "busy") for what in ("p50", "p99"))
    found = {key: statistics.median(sample[key] for sample in samples) for key in keys}
    for phase in ("loading", "busy"):
        found[phase] = quartiles([sample[f"{phase}_p99_us"] / sample["quiet_p99_us"] for sample in samples])
    found["loads"] = sum(sample["loads"] for sample in samples)
    return found


def quartiles(numbers):
    """The lower quartile, the median and the upper one of one number or more."""
    return statistics.quantiles(numbers, n=4, method="inclusive") if len(numbers) > 1 else numbers * 3


# Goals: ours is at most so many times the other's CPU a request.

FRONT_END = 2
PYTHON = 1 / 20
GOALS = [("half_plus_two over REST: at most 1/2 of Triton's CPU", "oip-rest", "onnx", "triton", 1 / 2),
         ("half_plus_two over gRPC: at most 1/3 of Triton's CPU", "oip-grpc", "onnx", "triton", 1 / 3),
         ("front end, TFS REST: at most 2 x a bare echo", "tfs-rest", "null", "rest-echo", FRONT_END),
         ("front end, OIP REST: at most 2 x a bare echo", "oip-rest", "null", "rest-echo", FRONT_END),
         ("front end, OIP gRPC: at most 2 x a bare echo", "oip-grpc", "null", "grpc-echo", FRONT_END),
         *((f"{title}, {protocol}: at most 1/20 of its CPU", protocol, "onnx", name, PYTHON)
           for name, title, protocols in (("mlserver", "MLServer", ("oip-rest", "oip-grpc")),
                                          ("kserve-python", "KServe's Python server", ("oip-rest", "oip-grpc")),
                                          ("litserve", "LitServe", ("tfs-rest",)), ("bentoml", "BentoML", ("tfs-rest",)),
                                          ("ray", "Ray Serve", ("tfs-rest",))) for protocol in protocols)]
TAIL = 1.2


def goals(results):
    """[(goal, what was measured, "met" or "missed")] for those of which both sides were measured."""
    found = []
    for text, protocol, ours, theirs, most in GOALS:
        cell = results["cells"].get(f"small/{protocol}/{AT}", {})
        a, b = summary(cell.get(ours, [])), summary(cell.get(theirs, []))
        if "error" in a or "error" in b:
            continue
        ratio = a["cpu_us"] / b["cpu_us"]
        shown = f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.2f} x"
        found.append([text, f"{_short(a['cpu_us'])} and {_short(b['cpu_us'])} µs: {shown}", "met" if ratio <= most else "missed"])
    for name, samples in results.get("loading", {}).items():
        moved = tail(samples)
        if "error" not in moved and name in LOADING:
            ratio, busy = moved["loading"][1], moved["busy"][1]
            found.append([f"{name}: p99 at most 1.2 x while another model is loaded", f"{ratio:.2f} x ({busy:.2f} x beside a busy process)",
                          "met" if ratio <= TAIL else "missed"])
    return found
