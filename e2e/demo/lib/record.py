"""What the demo says when it is over: verdicts in one sentence, the table, report.json, the faults, the closing words."""
from timeline import seconds_of, timestamp_of


def milliseconds(value):
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def check_words(checks):
    """The analysis at the end, as in 'errors +12.1 % [+6.1, +19.8] Fail'."""
    words = []
    for check in checks:
        interval = (f" [{100 * check['lower']:+.1f}, {100 * check['upper']:+.1f}] %"
                    if "lower" in check and "upper" in check else "")
        words.append(f"{check['check']} {check['verdict']}{interval}")
    return "; ".join(words)


def verdict(timeline, version, outcome, seconds):
    """One sentence with its numbers, from the users' counts, and one from the operator."""
    old = max((v for v in timeline.totals["versions"] if v and v < version), default="")
    users, before = timeline.users_of(version), timeline.users_of(old)
    sentence = (f"Version {version} is {outcome} after {seconds:.0f} s: {users['failed']:,} of its {users['ok'] + users['failed']:,} "
                f"answers failed, 95 % came within {milliseconds(users['p95_ms'])}; version {old}: {before['failed']:,} of "
                f"{before['ok'] + before['failed']:,}, {milliseconds(before['p95_ms'])}.")
    history = [entry for entry in timeline.status.get("history", []) if entry["version"] == version]
    if history and history[-1].get("message"):
        sentence += f"\n      Tidegate: {history[-1]['message']}"
    times = timeline.rollback_times(version)
    if outcome == "taken back" and times["toEveryProxy"] is not None:
        sentence += (f"\n      From its first failed answer it took {times['toDecision']:.1f} s to decide, and "
                     f"{times['toEveryProxy']:.1f} s until every proxy sent it nothing.")
    return sentence


def faults_of(timeline, status, broken):
    """What is missing for the story to have happened; empty when it has."""
    faults = []
    totals = timeline.totals
    if totals["sent"] != totals["ok"] + totals["failed"]:
        faults.append(f"{totals['sent']} requests were sent and {totals['ok'] + totals['failed']} counted")
    for failure in timeline.failures:
        if not timeline.excusable(failure, broken):
            faults.append(f"a user's request failed, and not by version {broken}'s own answer: {failure}")
    if len(timeline.failures) != totals["failed"]:
        faults.append(f"{totals['failed']} requests failed and {len(timeline.failures)} are written down")
    if not any(timeline.excusable(failure, broken) for failure in timeline.failures):
        faults.append(f"version {broken} never failed")
    promoted = [entry["version"] for entry in status.get("history", []) if entry["outcome"] == "Promoted"]
    if "2" not in promoted:
        faults.append(f"status.history does not have version 2 as Promoted, but {promoted}")
    if broken not in [entry["version"] for entry in status.get("quarantined", [])]:
        faults.append(f"status.quarantined does not have version {broken}")
    if status.get("stable", {}).get("version") != "2":
        faults.append(f"stable is not version 2 but {status.get('stable', {}).get('version')}")
    return faults[:20]


def report(timeline, status, models, faults):
    seconds = (seconds_of(timeline.totals["now"]) - seconds_of(timeline.totals["start"]))
    return {
        "storyHappened": not faults, "faults": faults,
        "requests": {key: timeline.totals[key] for key in ("sent", "ok", "failed", "in_flight")} |
                    {"seconds": round(seconds, 1), "knocksBeforeTheFirstAnswer": timeline.totals.get("knocks", 0)},
        "versions": {version: counts | models["versions"].get(version, {})
                     for version, counts in timeline.totals["versions"].items()},
        "phases": timeline.phase_counts(),
        "events": [{"time": timestamp_of(time), "what": words} for time, words in timeline.marks],
        "weightChanges": [{"weights": change.weights, "written": timestamp_of(change.written),
                           "verified": change.verified and timestamp_of(change.verified),
                           "secondsToVerify": change.verified and round(change.verified - change.written, 3)}
                          for change in timeline.weights],
        "rollback": timeline.rollback_times("3"),
        "checks": timeline.checks,
        "history": status.get("history", []), "quarantined": status.get("quarantined", []),
        "failures": timeline.failures,
    }


def table(report):
    """Two small tables: by phase, by version; then the times of the rollback."""
    lines = [f"{'phase':<26}{'seconds':>8}{'sent':>9}{'ok':>9}{'failed':>8}   failed by"]
    for row in report["phases"]:
        by = ", ".join(f"version {v or '(no answer)'}: {c['failed']:,}" for v, c in row["versions"].items() if c["failed"]) or "-"
        lines.append(f"{row['phase']:<26}{row['seconds']:>8.1f}{row['sent']:>9,}{row['ok']:>9,}{row['failed']:>8,}   {by}")
    total = report["requests"]
    lines += [f"{'all':<26}{total['seconds']:>8.1f}{total['sent']:>9,}{total['ok']:>9,}{total['failed']:>8,}", "",
              f"{'version':<26}{'answers':>8}{'failed':>9}{'p50':>9}{'p95':>9}   accuracy"]
    for version, counts in report["versions"].items():
        accuracy = f"{100 * counts['accuracy']:.1f} %" if "accuracy" in counts else "-"
        lines.append(f"{version or '(no answer)':<26}{counts['ok'] + counts['failed']:>8,}{counts['failed']:>9,}"
                     f"{milliseconds(counts['p50_ms']):>9}{milliseconds(counts['p95_ms']):>9}   {accuracy}")
    times = report["rollback"]
    if times["toEveryProxy"] is not None:
        lines += ["", f"version 3: first failed answer to decision {times['toDecision']:.1f} s, to weight 0 at every proxy "
                  f"{times['toEveryProxy']:.1f} s; its last request left after {times['toLastRequest']:.1f} s"]
    return lines


def closing(status, digit, headers, seconds):
    """The cluster stays up; these are for the reader to copy."""
    quarantined = status["quarantined"][-1]["revision"]
    return f"""
The story happened, in {int(seconds) // 60} min {int(seconds) % 60} s. Written: build/demo/report.json, build/demo/rollout.svg
The cluster is still up, the users are gone. Copy what you like:

  export KUBECONFIG=$(make -s kubeconfig)

  # Ask the model what build/demo/models/image.png shows. It answered {digit}, by version {headers.get("x-tidegate-model-version")}.
  curl -s -H 'Host: digits.demo.svc' -d @build/demo/models/image.json \\
    http://$(kubectl -n tidegate-system get service tidegate-gateway -o jsonpath='{{.spec.clusterIP}}')/v1/models/digits:predict

  # What Tidegate says about it; leave the second running while you change something.
  kubectl describe md digits -n demo
  kubectl get md -n demo -o wide -w

  # Watch version 3 ({quarantined}) being taken back again; takes a minute.
  e2e/demo/run --again

  # Your own version: a SavedModel's folder goes up as version 4, then it is rolled out.
  e2e/demo/upload FOLDER 4
  sed 's/"2"/"4"/' e2e/demo/manifests/digits-2.yaml | kubectl apply -f -

  # Remove the cluster; with --cache also all that was downloaded and built.
  make demo-down
  e2e/demo/down --cache
""".splitlines()
