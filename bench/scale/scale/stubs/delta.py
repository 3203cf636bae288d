"""A proxy's side of the incremental form of the discovery service, as Envoy 1.40 was seen to speak it:

- it asks for clusters first, for listeners once its first clusters have their endpoints, then for the routes by name,
  and for virtual hosts when the routes say that they come by VHDS: without a name, though it uses only those whose name
  begins with that of the route configuration and a slash;
- endpoints are asked for by name when a cluster appears, and no more when it goes. Those of a cluster that only changed
  are not asked for again, yet it stays out of use until they are sent;
- while a new or changed cluster waits for its endpoints, clusters are not acknowledged, except the very first;
- a new stream begins with one request a type, with the versions of all that is there; only the first names the node;
- the version of a cluster's endpoints, as its statistics have it, is that of the whole response that brought them.
"""
from .discovery import (CLUSTERS, ENDPOINTS, LISTENERS, MESSAGES, NODE_CLUSTER, ROUTES, ROUTES_NAME, SERVICE, VERSION_CLUSTER,
                        VIRTUAL_HOSTS)

METHOD = SERVICE + "DeltaAggregatedResources"
Request, Response = MESSAGES["DeltaRequest"], MESSAGES["DeltaResponse"]
INTERNAL = 13   # the status of a rejection, whatever its reason


class Subscriptions:
    """One proxy's side, over all its streams. It applies everything at once that is well formed, and rejects the rest."""

    def __init__(self, node):
        self.node = node
        self.applied_version = ""       # of the version cluster's endpoints; empty: none yet
        self.versions = {CLUSTERS: {}}  # by type, of what is asked for on every stream: version by resource name
        self.warming = set()            # clusters that wait for their endpoints
        self.has_begun = False          # the first clusters have their endpoints
        self.restart()

    @property
    def clusters(self):
        """The names of all that there are."""
        return self.versions[CLUSTERS].keys()

    def restart(self):
        """A new stream. What has not been acknowledged on the last one never will be."""
        self.node_is_known = False
        self.asked = set()        # types that a request of this stream was about
        self.held_back = []       # nonces of clusters that are acknowledged when none is warming

    def first(self):
        return [self._first_of(kind) for kind in self.versions if not self._must_wait(kind)]

    def answer(self, response):
        """What the proxy sends because of `response`, in order."""
        kind = response.type_url
        fault = fault_of(response) if kind in self.versions else "no such subscription"
        if kind not in self.versions:
            return []
        requests = [] if fault else self._apply(kind, response)
        if self._must_wait(kind):
            self.held_back.append((response.nonce, fault))
            return requests
        return requests + [self._request(kind, nonce=response.nonce, fault=fault)]

    def _must_wait(self, kind):
        return kind == CLUSTERS and self.has_begun and bool(self.warming)

    def _apply(self, kind, response):
        """Takes it over; the requests for other types that follow from it."""
        added = {resource.name: resource for resource in response.resources if self._wants(kind, resource.name)}
        removed = [name for name in response.removed_resources if self._wants(kind, name)]
        if VERSION_CLUSTER in added and kind == ENDPOINTS:
            self.applied_version = response.system_version_info
        known = self.versions[kind]
        appeared = [name for name in added if name not in known]
        gone = [name for name in removed if known.pop(name, None) is not None]
        known |= {name: resource.version for name, resource in added.items()}
        follow_up = {CLUSTERS: self._clusters_changed, ENDPOINTS: self._endpoints_arrived,
                     LISTENERS: self._listeners_changed, ROUTES: self._routes_changed}.get(kind)
        return follow_up(added, appeared, gone) if follow_up else []

    def _wants(self, kind, name):
        if kind == ENDPOINTS:
            return name in self.versions[CLUSTERS]
        if kind == ROUTES:
            return name == ROUTES_NAME
        return kind != VIRTUAL_HOSTS or name.rpartition("/")[0] == ROUTES_NAME

    def _clusters_changed(self, added, appeared, gone):
        self.warming |= added.keys()
        self.warming -= set(gone)
        endpoints = self.versions.setdefault(ENDPOINTS, {}) if appeared else self.versions.get(ENDPOINTS, {})
        for name in gone:
            endpoints.pop(name, None)
        requests = []
        if appeared or gone:
            requests.append(self._request(ENDPOINTS, subscribe=appeared, unsubscribe=gone) if ENDPOINTS in self.asked
                            else self._first_of(ENDPOINTS))
        return requests + self._warmed_up()

    def _endpoints_arrived(self, added, _appeared, _gone):
        self.warming -= added.keys()
        return self._warmed_up()

    def _warmed_up(self):
        """What was waiting for the last cluster's endpoints."""
        if self.warming:
            return []
        requests = []
        if not self.has_begun:
            self.has_begun = True
            self.versions[LISTENERS] = {}
            requests.append(self._first_of(LISTENERS))
        if CLUSTERS not in self.asked:
            requests.append(self._first_of(CLUSTERS))
        requests += [self._request(CLUSTERS, nonce=nonce, fault=fault) for nonce, fault in self.held_back]
        self.held_back = []
        return requests

    def _listeners_changed(self, _added, _appeared, _gone):
        return self._begin(ROUTES) if self.versions[LISTENERS] else []

    def _routes_changed(self, added, _appeared, _gone):
        by_vhds = any(MESSAGES["Routes"].FromString(resource.resource.value).vhds for resource in added.values())
        return self._begin(VIRTUAL_HOSTS) if by_vhds else []

    def _begin(self, kind):
        if kind in self.versions:
            return []
        self.versions[kind] = {}
        return [self._first_of(kind)]

    def _first_of(self, kind):
        names = {ENDPOINTS: self.clusters, ROUTES: [ROUTES_NAME]}.get(kind, [])
        versions = [{"key": name, "value": version} for name, version in self.versions[kind].items()]
        return self._request(kind, subscribe=names, initial_resource_versions=versions)

    def _request(self, kind, subscribe=(), unsubscribe=(), nonce="", fault="", **others):
        self.asked.add(kind)
        request = Request(type_url=kind, resource_names_subscribe=subscribe, resource_names_unsubscribe=unsubscribe,
                          response_nonce=nonce, **others)
        if fault:
            request.error_detail.code, request.error_detail.message = INTERNAL, fault
        if not self.node_is_known:
            self.node_is_known = True
            request.node.id, request.node.cluster = self.node, NODE_CLUSTER
        return request


def fault_of(response):
    """Why Envoy would reject the whole of it, whatever the resources say; empty: it would not."""
    seen = set()
    for resource in response.resources:
        if resource.name in seen:
            return f"duplicate name {resource.name} found among added/updated resources"
        if resource.resource.type_url != response.type_url:
            return f"type URL {resource.resource.type_url} of {resource.name} is not that of the response"
        seen.add(resource.name)
    twice = [name for name in response.removed_resources if name in seen]
    return f"duplicate name {twice[0]} found in the union of added+removed resources" if twice else ""
