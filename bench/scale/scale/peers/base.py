"""What the harness has to know about a controller: how it is started, what an object of it is, how it is updated, and
when it is done. Everything that is peculiar to a controller is in its own file beside this one."""
import abc
import collections
import json
import pathlib
import urllib.request

import yaml

from ..cluster import NAMESPACE, has_condition

REPLICAS = 2           # pods of each object, whoever manages it
STEPS = (20, 50)       # per cent for the new version before it gets everything
STEP_SECONDS = 10      # how long each of them is held
# Nobody gives an object up because this machine is small: a phase has its own limit.
PROGRESS_DEADLINE_SECONDS = 24 * 3600


class Peer(abc.ABC):
    name = ""            # in --peers and the table
    title = ""           # in the table
    program = ""         # of the cache; empty: our own build
    pinned = ""          # its version's name in tools/versions.env
    collection = ""      # path of the watched objects
    also_watched = ()    # paths of further objects that tell about progress
    steps = STEPS        # the weights that an update has to pass; empty: it has none
    polls = False        # never quiet: its work ends with that of its objects, what it does afterwards is in the idle phase
    quiet_within = 20    # s after the last object is at rest in which the controller falls quiet

    def __init__(self, cluster, paths, options):
        """`paths`: see paths.Paths; `options`: the command line's."""
        self.cluster, self.api, self.paths, self.options = cluster, cluster.api, paths, options

    def prepare(self):
        """What must be in the cluster before the controller starts."""

    @abc.abstractmethod
    def command(self):
        """Program and arguments. The controller's user is the one of cluster.kubeconfig(CONTROLLER)."""

    def environment(self):
        return {}

    @abc.abstractmethod
    def is_up(self):
        """Whether the controller has begun to work."""

    def started(self):
        """After is_up: what needs the running controller."""

    @abc.abstractmethod
    def objects(self, name):
        """What makes the object: [(path of the collection, body)]."""

    @abc.abstractmethod
    def update(self, name, revision):
        """What asks for another revision: (path, merge patch). The first revision is 1."""

    @abc.abstractmethod
    def is_created(self, found):
        """Whether a watched object says that what objects() asked for serves."""

    @abc.abstractmethod
    def is_updated(self, found, revision):
        """Whether it says that `revision` serves everything."""

    def is_at_rest(self, found, revision):
        """Whether nothing is left to be done for it; may be later than is_updated, when an old version drains."""
        return self.is_updated(found, revision)

    def weight(self, found):
        """The share of the new version in force, in per cent, as a watched object tells it; None: it does not."""

    def has_given_up(self, found):
        """Whether the controller will not go on with this object by itself."""
        return False

    def update_begins(self):
        """A new round of updates: whatever is_updated remembers is void."""

    def key(self, found):
        """The name of the object that a watched object belongs to."""
        return self.key_of_name(found["metadata"]["name"])

    def key_of_name(self, name):
        """The same for the name of anything that a controller makes for it: objects' names have no hyphen."""
        return name.split("-")[0]

    def counters(self):
        """Running totals of its surroundings, {name: number}: a phase has the differences."""
        return {}

    def faults(self, names, revision):
        """What is not in the state that was asked for, whatever the controller says: {what: how often}; empty: all is.
        Asked while nothing is changed."""
        objects = {found["metadata"]["name"]: found for found in self.api.list(self.collection)}
        pods = collections.defaultdict(list)
        for pod in self.api.list(PODS):
            pods[self.key_of_name(pod["metadata"]["name"])].append(pod)
        counts = {"objects that are not there": sum(name not in objects for name in names),
                  f"objects without {REPLICAS} pods, both ready": sum(
                      len(pods[name]) != REPLICAS or not all(map(is_ready, pods[name])) for name in names),
                  "pods of another version": sum(
                      not self.is_of_revision(pod, objects.get(name, {}), revision) for name in names for pod in pods[name])}
        counts |= self.own_faults(objects.values(), revision)
        return {what: count for what, count in counts.items() if count}

    def is_of_revision(self, pod, found, revision):
        """Whether a pod of an object is what `revision` asks for."""
        return all(each["image"] == image(revision) for each in pod["spec"]["containers"])

    def own_faults(self, objects, revision):
        """The rest of what is wrong, of what only this controller makes; numbers may be 0."""
        return {}

    def close(self):
        """Ends what this started beside the controller."""


def image(revision):
    return f"bench.local/model:v{revision}"


def container(revision):
    return {"name": "model", "image": image(revision), "ports": [{"containerPort": 8080}]}


def is_rolled_out(deployment, revision):
    """Whether all pods of a Deployment are of this revision and serve."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    return (all(each["image"] == image(revision) for each in deployment["spec"]["template"]["spec"]["containers"])
            and status.get("observedGeneration") == deployment["metadata"]["generation"]
            and status.get("updatedReplicas") == wanted == status.get("availableReplicas") == status.get("replicas"))


def is_ready(pod):
    return not pod["metadata"].get("deletionTimestamp") and has_condition(pod, "Ready")


def answers(url):
    with urllib.request.urlopen(url, timeout=2) as response:
        return response.status == 200


def text_of(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()


def json_of(url):
    return json.loads(text_of(url))


def sum_of(metric, page):
    """Of all series of a metric, in Prometheus' text format."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith((f"{metric}{{", f"{metric} ")))


def documents(path):
    """All YAML documents of a file."""
    return list(yaml.load_all(pathlib.Path(path).read_text(), yaml.CSafeLoader))


def collection(group_version, plural):
    """The path of a namespaced kind's objects."""
    root = "/api/v1" if group_version == "v1" else f"/apis/{group_version}"
    return f"{root}/namespaces/{NAMESPACE}/{plural}"


PODS = collection("v1", "pods")
