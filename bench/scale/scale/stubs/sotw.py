"""A proxy's side of the state-of-the-world form of the discovery service."""
from .discovery import CLUSTERS, ENDPOINTS, LISTENERS, MESSAGES, NODE_CLUSTER, ROUTES, ROUTES_NAME, SERVICE, resource_name

METHOD = SERVICE + "StreamAggregatedResources"
Request, Response = MESSAGES["Request"], MESSAGES["Response"]


class Subscriptions:
    """One proxy's side of a stream. Like Envoy it asks for clusters and listeners whole, then by name for the endpoints
    of every cluster that it has and for the routes; acknowledges every response; and presents on a new stream what it
    has applied."""

    def __init__(self, node):
        self.node = node
        self.clusters = {}.keys()   # their names: a set that keeps its order
        self.applied = {}   # version by type
        self.restart()

    def restart(self):
        """A new stream: nothing is subscribed to, and no nonce counts."""
        self.nonces = {}

    def first(self):
        return [self._request(CLUSTERS), self._request(LISTENERS)]

    def answer(self, response):
        """What the proxy sends because of `response`, in order."""
        kind = response.type_url
        self.applied[kind], self.nonces[kind] = response.version_info, response.nonce
        requests = []
        if kind == CLUSTERS:
            names = dict.fromkeys(resource_name(resource.value) for resource in response.resources).keys()
            if names != self.clusters or ENDPOINTS not in self.nonces:
                self.clusters = names
                requests.append(self._request(ENDPOINTS))
        if kind == LISTENERS and ROUTES not in self.nonces:
            requests.append(self._request(ROUTES))
        return requests + [self._request(kind)]

    def _request(self, kind):
        names = {ENDPOINTS: self.clusters, ROUTES: [ROUTES_NAME]}.get(kind, [])
        self.nonces.setdefault(kind, "")
        return Request(node={"id": self.node, "cluster": NODE_CLUSTER}, type_url=kind, resource_names=names,
                       version_info=self.applied.get(kind, ""), response_nonce=self.nonces[kind])
