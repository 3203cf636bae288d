"""The live panel's lines, from the timeline: weights, what the users see, the checks, the summary."""
from timeline import weights_confirmed


def percent(share):
    return f"{100 * share:+.1f} %"


def check_line(check):
    requests = check.get("requests", {})
    interval = ""
    if "lower" in check and "upper" in check:
        interval = f" [{percent(check['lower'])}, {percent(check['upper'])}]"
        if "limit" in check:
            interval += f" limit {percent(check['limit'])}"
    needed = f", about {check['requestsNeeded']:,} more needed" if check.get("requestsNeeded") else ""
    return f"{check['check']} {check['verdict']}{interval} after {requests.get('canary', 0):,} requests{needed}"


def recent(timeline, seconds=5):
    """Rate, and by version failures and the worst p95, over the users' last few seconds."""
    window = timeline.seconds[-seconds:]
    versions = {}
    for second in window:
        for version, counts in second["versions"].items():
            entry = versions.setdefault(version, {"failed": 0, "p95": 0.0})
            entry["failed"] += counts["failed"]
            entry["p95"] = max(entry["p95"], counts["p95_ms"])
    return sum(s["sent"] for s in window) / max(1, len(window)), versions


def users_line(timeline, console):
    if not timeline.seconds:
        knocks = timeline.totals.get("knocks", 0)
        return f"users    wait for the first answer ({knocks} knocks)"
    rate, versions = recent(timeline)
    parts = [console.version(version, f"version {version or '?'}: p95 {entry['p95']:.1f} ms, "
                             f"{timeline.users_of(version)['failed']:,} failed")
             for version, entry in sorted(versions.items())]
    return f"users    {rate:.0f}/s, {timeline.totals.get('sent', 0):,} sent;  " + "  ".join(parts)


def panel(timeline, console):
    """(lines, key): the key is what a plain log tells of, so it has no running numbers."""
    status = timeline.status
    weights = timeline.weights[-1].weights if timeline.weights else {}
    shares = "  ".join(console.version(v, f"version {v}: {w} %") for v, w in sorted(weights.items())) or "nothing serves yet"
    confirmed = ("confirmed by every proxy" if weights_confirmed(status) else "on its way to the proxies") if weights else ""
    checks = [check_line(check) for check in status.get("analysis", [])] if status.get("canary") else []
    lines = [f"         {console.bar(weights)}" if weights else "",
             f"weights  {shares}  ({confirmed})" if weights else f"weights  {shares}",
             users_line(timeline, console),
             "checks   " + ("; ".join(checks) if checks else "-"),
             f"status   {status.get('phase', 'Pending')}: {status.get('summary', '')}"]
    verdicts = tuple((c["check"], c["verdict"]) for c in status.get("analysis", []))
    key = (tuple(sorted(weights.items())), confirmed, verdicts, status.get("phase"))
    return (lines if console.tty else lines[1:]), key
