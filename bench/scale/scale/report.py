"""The results as a Markdown table, and ours against another's."""

COLUMNS = ("controller", "objects", "phase", "all ready s", "CPU s", "cluster's + stubs' CPU s", "RSS peak / after MiB", "API requests",
           "writes an object (status)", "events", "MB sent / received", "reaction p50 / p99 ms")


def table(results):
    """One line a controller and phase."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for result in results:
        if "error" in result:
            why = result["error"].splitlines()[0][:100]
            lines.append(f"| {result['title']} | {result['objects']} | failed: {why} |" + " |" * (len(COLUMNS) - 3))
        for phase, numbers in result["phases"].items():
            lines.append("| " + " | ".join(_cells(result, phase, numbers)) + " |")
    return "\n".join(lines)


def _cells(result, phase, numbers):
    api = numbers["api"]
    reaction = numbers.get("reactionMs") or {}
    shown = f"{phase} {numbers['seconds']:.0f} s" if phase == "idle" else phase
    of_all = f"{api['writesAnObject']} ({api['statusWritesAnObject']})" if "allReadySeconds" in numbers else ""
    return (result["title"], f"{result['objects']:,}", shown, str(numbers.get("allReadySeconds", "")),
            f"{numbers['cpuSeconds']:.2f}{'' if numbers.get('fellQuiet', True) else ' +'}", _surroundings(numbers["othersCpuSeconds"]),
            f"{numbers['rssPeakMiB']:.0f} / {numbers['rssAfterMiB']:.0f}",
            f"{api['requests']:,}", of_all, f"{api['events']:,}",
            f"{numbers['bytesSent'] / 1e6:.1f} / {numbers['bytesReceived'] / 1e6:.1f}",
            _reaction(reaction))


def _reaction(reaction):
    """Says so when not every change was reacted to."""
    if not reaction.get("samples"):
        return "none" if reaction else ""
    some = "" if reaction["samples"] == reaction["of"] else f" ({reaction['samples']} of {reaction['of']})"
    return f"{reaction['p50']} / {reaction['p99']}{some}"


def _surroundings(cpu_seconds):
    """What the phase cost the control plane, and the stubs where there are any; the bench itself is in neither."""
    cluster = sum(seconds for name, seconds in cpu_seconds.items() if name not in ("bench", "stubs"))
    return f"{cluster:.1f} + {cpu_seconds['stubs']:.1f}" if "stubs" in cpu_seconds else f"{cluster:.1f}"


def ratios(results, ours="tidegate", theirs="argo"):
    """{phase: {what: ours / theirs}} of what is compared with a goal, for phases that both have; two decimals, None where
    theirs is nothing."""
    found = {result["peer"]: result["phases"] for result in results}
    if not {ours, theirs} <= found.keys():
        return {}
    return {phase: _compare(found[ours][phase], found[theirs][phase]) for phase in found[ours] if phase in found[theirs]}


def _compare(ours, theirs):
    pairs = {"cpuSeconds": (ours["cpuSeconds"], theirs["cpuSeconds"]),
             "rssPeakMiB": (ours["rssPeakMiB"], theirs["rssPeakMiB"]),
             "writes": (ours["api"]["writes"], theirs["api"]["writes"]),
             "requests": (ours["api"]["requests"], theirs["api"]["requests"])}
    return {what: round(a / b, 2) if b else None for what, (a, b) in pairs.items()}
