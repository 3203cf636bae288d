"""The demo: three versions of a model, one good, one better, one broken, in front of users who never stop asking.

Started by e2e/demo/run, which has looked at the machine and installed the tools. `--again` shows the rollback once more
on the cluster that an earlier run left; `--update-docs` also puts the picture into docs/images.
Exits 0 only when the story happened: see `faults_of`.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

import chart
import record
from console import Console
from kube import CACHE, ROOT, SYSTEM, CommandFailed, Kube, Watch, run
from panel import panel
from s3 import Store
from timeline import Timeline
from users import Users, UsersGone

DEMO = ROOT / "e2e" / "demo"
OUT = ROOT / "build" / "demo"
NAMESPACE, NAME, STORE_NAMESPACE = "demo", "digits", "tidegate-demo"
TARGETS = ["operator/tidegate-operator", "serving-runtime/tidegate-runtime", "e2e/traffic/tidegate-traffic",
           "serving-runtime/backends/libtidegate_backend_tensorflow.so"]
BUILD = ROOT / "build" / "release"
BROKEN = "3"


class StoryFailed(Exception):
    """What was to happen did not; the message says what did, and what to look at."""


class Story:
    def __init__(self, console, options):
        self.console, self.options = console, options
        self.timeline = Timeline()
        self.kube = self.users = self.watch = None

    # -- preparation

    def shell(self, *command):
        """Runs one of the project's own commands; its output goes to a log, its steps of the way onto the screen."""
        OUT.mkdir(parents=True, exist_ok=True)
        log_path = OUT / "log.txt"
        with open(log_path, "a", encoding="utf-8") as log:
            log.write(f"\n$ {' '.join(map(str, command))}\n")
            log.flush()
            process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       text=True, cwd=ROOT, stdin=subprocess.DEVNULL)
            for line in process.stdout:
                log.write(line)
                self.console.progress(line.rstrip())
        self.console.clear_progress()
        if process.wait() != 0:
            words = log_path.read_text().splitlines()[-15:]
            raise StoryFailed(f"{' '.join(map(str, command))} failed; its log is {log_path}, and ends with:\n" + "\n".join(words))

    def build(self):
        self.console.step("build", "Build Tidegate")
        self.shell("tools/compile", "release", *TARGETS)

    def start_cluster(self):
        self.console.step("cluster", "Start Kubernetes: a real node, without any image registry")
        self.shell("e2e/cluster/up")
        self.kube = Kube()
        self.console.line(self.kube("version").strip().splitlines()[-1] + ", node " +
                          self.kube.get("node")[0]["metadata"]["name"])
        self.console.step("images", "Build the container images and load them")
        self.shell("e2e/cluster/images")

    def install(self):
        self.console.step("install", "Install Tidegate (two replicas, two gateways) and MinIO")
        self.kube("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=120s")
        self.kube.install_tidegate()
        self.kube.apply((DEMO / "manifests/minio.yaml").read_text())
        self.kube.wait_rollout(STORE_NAMESPACE, "minio")
        self.kube.wait_rollout(SYSTEM, "tidegate-operator", "tidegate-gateway")
        self.kube.apply((DEMO / "manifests/namespace.yaml").read_text())

    def make_models(self):
        self.console.step("models", "Make three versions of a digit classifier with Keras, and upload them")
        for line in run(sys.executable, DEMO / "models.py", OUT / "models").splitlines():
            self.console.line(line)
        service = self.kube.get("service", "minio", STORE_NAMESPACE)
        store = Store(f"http://{service['spec']['clusterIP']}:9000", "demo", "demo-password")
        store.make_bucket_once_reachable("models")
        for version in ("1", "2", "3"):
            size = store.put_folder("models", f"digits/{version}", OUT / "models" / version)
            self.console.line(f"s3://models/digits/{version}: {size / 1024:,.0f} KiB")

    def start_users(self):
        self.console.step("users", "Start the users: 300 requests a second, from inside the cluster, never sent twice")
        self.users = Users(self.kube, NAMESPACE, self.timeline)
        self.users.start((DEMO / "manifests/users.yaml").read_text(), OUT / "models/requests.jsonl")

    def start_watch(self):
        self.watch = Watch(self.kube, "modeldeployments", NAME, NAMESPACE,
                           lambda found: self.timeline.saw_object(time.time(), found))

    # -- the story

    def apply_version(self, version):
        text = (DEMO / f"manifests/digits-{version}.yaml").read_text()
        self.console.line(f"kubectl apply -f e2e/demo/manifests/digits-{version}.yaml")
        self.console.yaml(text)
        self.kube("apply", "-f", str(DEMO / f"manifests/digits-{version}.yaml"))
        self.generation = self.kube.get("modeldeployment", NAME, NAMESPACE)["metadata"]["generation"]
        self.timeline.mark(time.time(), f"apply version {version}")

    def begin_phase(self, name):
        self.timeline.begin_phase(time.time(), name, self.users.poll())

    def show_until(self, what, seconds, happened):
        """Shows the panel until `happened(status)`; raises when it has not after so many seconds."""
        deadline = time.time() + seconds
        while True:
            self.users.poll()
            lines, key = panel(self.timeline, self.console)
            self.console.panel(lines, key)
            status = self.timeline.status
            if status.get("observedGeneration", 0) >= self.generation and happened(status):
                self.console.end_panel()
                return
            if time.time() > deadline:
                raise StoryFailed(f"{what} did not happen within {seconds} s; the status says: {status.get('phase')}: "
                                  f"{status.get('summary')}\nLook at: kubectl describe md {NAME} -n {NAMESPACE}; "
                                  f"kubectl logs -n {SYSTEM} deployment/tidegate-operator")
            with self.timeline.changed:
                self.timeline.changed.wait(0.5)

    def healthy_with(self, version):
        return lambda status: (status.get("phase") == "Healthy" and status.get("stable", {}).get("version") == version
                               and "canary" not in status)

    def version_1(self):
        self.console.step("version 1", "Version 1, the first: no one to compare it with, so it serves as soon as it can")
        self.apply_version("1")
        began = time.time()
        self.show_until("serving version 1", 180, self.healthy_with("1"))
        self.show_until("users' first answers", 30, lambda status: len(self.timeline.seconds) >= 3)
        self.begin_phase("version 1 serves")
        self.console.sentence(f"Version 1 serves all requests {time.time() - began:.0f} s after it was applied.")
        self.pause(5)

    def version_2(self):
        self.console.step("version 2", "Version 2, better: it takes traffic as fast as its numbers allow")
        self.apply_version("2")
        self.begin_phase("version 2 on trial")
        began = time.time()
        self.show_until("promoting version 2", 400, self.healthy_with("2"))
        self.timeline.mark(self.timeline.weights[-1].written, "version 2 promoted")
        self.begin_phase("version 2 serves")
        self.console.sentence(record.verdict(self.timeline, "2", "promoted", time.time() - began))
        self.pause(6)

    def rolled_back(self, status):
        return (status.get("phase") == "RolledBack" and self.timeline.weights[-1].verified is not None
                and any(entry["version"] == BROKEN for entry in status.get("quarantined", [])))

    def version_3(self):
        self.console.step("version 3", "Version 3, broken: it fails for some images and is slow")
        self.apply_version(BROKEN)
        self.begin_phase("version 3 on trial")
        began = time.time()
        self.show_until("taking version 3 back", 240, self.rolled_back)
        self.timeline.mark(self.timeline.taken_back(BROKEN).written, "version 3 taken back")
        self.begin_phase("version 2 serves again")
        self.console.sentence(record.verdict(self.timeline, BROKEN, "taken back", time.time() - began))
        self.pause(6)

    def pause(self, seconds):
        """Lets the users go on for a while, so that the picture shows what holds afterwards."""
        end = time.time() + seconds
        self.show_until("time", seconds + 5, lambda status: time.time() >= end)

    def ask_once(self):
        """One prediction by hand, as the closing lines tell the reader to make it: (digit, HTTP headers)."""
        address = self.kube.get("service", "tidegate-gateway", SYSTEM)["spec"]["clusterIP"]
        request = urllib.request.Request(f"http://{address}/v1/models/{NAME}:predict", headers={
            "host": f"{NAME}.{NAMESPACE}.svc", "content-type": "application/json"},
            data=(OUT / "models/image.json").read_bytes())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["predictions"][0]["classes"], answer.headers

    def finish(self):
        self.console.step("record", "What happened")
        self.timeline.end_phase(time.time(), self.users.stop())
        self.watch.stop()
        digit, headers = self.ask_once()
        models = json.loads((OUT / "models/report.json").read_text())
        if digit != models["image"]["digit"]:
            raise StoryFailed(f"the model sees a {digit} on build/demo/models/image.png, which shows a {models['image']['digit']}")
        status = self.kube.get("modeldeployment", NAME, NAMESPACE)["status"]
        faults = [] if self.options.again else record.faults_of(self.timeline, status, BROKEN)
        report = record.report(self.timeline, status, models, faults)
        name = "again" if self.options.again else "report"
        (OUT / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
        (OUT / ("again.svg" if self.options.again else "rollout.svg")).write_text(chart.draw(self.timeline))
        for line in record.table(report):
            self.console.line(line)
        if faults:
            raise StoryFailed("the story did not happen:\n" + "\n".join(f"  - {fault}" for fault in faults))
        if self.options.update_docs:
            (ROOT / "docs/images").mkdir(parents=True, exist_ok=True)
            shutil.copy(OUT / "rollout.svg", ROOT / "docs/images/rollout.svg")
        return status, digit, headers

    def whole(self):
        self.build()
        self.start_cluster()
        self.install()
        self.make_models()
        self.start_users()
        self.start_watch()
        self.version_1()
        self.version_2()
        self.version_3()
        status, digit, headers = self.finish()
        for line in record.closing(status, digit, headers, time.time() - self.console.begin):
            self.console.write(line)

    def again(self):
        """The last chapter once more, on the cluster that is up."""
        self.kube = Kube()
        found = self.kube.get("modeldeployment", NAME, NAMESPACE)
        quarantined = [entry for entry in (found or {}).get("status", {}).get("quarantined", []) if entry["version"] == BROKEN]
        if not quarantined:
            raise StoryFailed("there is no quarantined version 3; run e2e/demo/run first")
        self.start_users()
        self.start_watch()
        self.generation = found["metadata"]["generation"]
        self.show_until("users' first answers", 30, lambda status: len(self.timeline.seconds) >= 4)
        self.console.step("version 3", "Version 3 once more: out of quarantine, because a person says so")
        # A command is acted on once for as long as its annotation is there: that of the last time goes first.
        self.kube("annotate", "md", NAME, "-n", NAMESPACE, "tidegate.dev/retry-")
        self.show_until("forgetting the last retry", 20, lambda status: all(
            handled["command"] != "retry" for handled in status.get("handledCommands", [])))
        before = len(found["status"].get("history", []))
        self.begin_phase("version 3 on trial again")
        command = ["annotate", "--overwrite", "md", NAME, "-n", NAMESPACE, f"tidegate.dev/retry={quarantined[-1]['revision']}"]
        self.console.line("kubectl " + " ".join(command))
        self.kube(*command)
        self.timeline.mark(time.time(), "retry version 3")
        began = time.time()
        self.show_until("taking version 3 back", 240, lambda status: len(status.get("history", [])) > before and self.rolled_back(status))
        self.timeline.mark(self.timeline.taken_back(BROKEN).written, "version 3 taken back")
        self.console.sentence(record.verdict(self.timeline, BROKEN, "taken back", time.time() - began))
        self.pause(5)
        self.finish()
        self.console.write("\nWritten: build/demo/again.json, build/demo/again.svg. The cluster is still up.")


def cold_steps():
    """The steps whose product is not there yet, so that they take the long time. The tools are there: this runs on them."""
    products = {"build": BUILD / TARGETS[0], "images": CACHE / "images/keys/operator.digest", "models": CACHE / "demo-models"}
    return {name for name, product in products.items() if not product.exists()}


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="e2e/demo/run", description="Shows Tidegate's main job on this machine.")
    parser.add_argument("--update-docs", action="store_true", help="put the picture of this run into docs/images")
    parser.add_argument("--again", action="store_true", help="only watch version 3 being taken back once more")
    return parser.parse_args(arguments)


def main():
    options = options_of(sys.argv[1:])
    begin = float(os.environ.get("TIDEGATE_DEMO_BEGIN", time.time()))
    if options.again:
        console = Console(begin, (), steps=("users", "version 3", "record"))
    else:
        console = Console(begin, cold_steps(), number=int(os.environ.get("TIDEGATE_DEMO_STEPS", 0)))
    story = Story(console, options)
    try:
        story.again() if options.again else story.whole()
    except KeyboardInterrupt:
        console.write("\nStopped. The cluster is as it was left: `make demo` begins again, `make demo-down` removes it.")
        return 130
    except (StoryFailed, CommandFailed, UsersGone) as error:
        console.write(f"\nFAILED: {error}")
        return 1
    finally:
        if story.watch:
            story.watch.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
