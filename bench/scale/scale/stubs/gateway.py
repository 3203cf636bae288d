"""One gateway as the operator sees it: a proxy that subscribes to its configuration over mutual TLS and applies it at
once, and a page of statistics over mutual TLS on port 8082, in the text format of Envoy's administration interface.

Every revision that the gateway knows has been sent REQUESTS_PER_SECOND good requests since it became known, whatever
its weight: the operator's arithmetic is exercised, and nothing is ever rolled back.
"""
import asyncio
import re
import ssl
import time

import grpc
from aiohttp import web

from . import delta, discovery

STATISTICS_PORT = 8082
REQUESTS_PER_SECOND = 50
ENVOYS_LIMIT = 60 * 1024   # bytes of a request's head; a longer request line is refused here, too
# Shares of the requests by duration, in microseconds; buckets as Envoy's histograms have them.
DURATIONS = {1000 * n: share for n, share in zip(range(5, 21), (1, 2, 4, 8, 12, 15, 15, 12, 9, 7, 5, 4, 3, 1, 1, 1))}


class Revisions:
    """Which revisions a gateway has clusters for, and since when. Looks only at what appeared and what went: it is asked
    after every change of a cluster."""

    def __init__(self):
        self.clusters = set()
        self.since = {}   # by "<namespace>/<object>", then by "<namespace>/<object>/<revision>"

    def note(self, clusters, now):
        """`clusters`: the names of all that there are, as a set."""
        appeared, gone = clusters - self.clusters, self.clusters - clusters
        self.clusters |= appeared
        self.clusters -= gone
        for name in filter(is_revision, appeared):
            self.since.setdefault(name.rpartition("/")[0], {})[name] = now
        for name in filter(is_revision, gone):
            del self.since[name.rpartition("/")[0]][name]

    def of(self, objects):
        """[(revision, since when)] of these objects; None: of all."""
        wanted = self.since.values() if objects is None else (self.since.get(each, {}) for each in objects)
        return [known for each in wanted for known in each.items()]


def is_revision(cluster):
    return cluster.count("/") == 2


class Gateway:
    def __init__(self, name, address, xds_port, tls, counters):
        """`counters`: what it is sent ("xdsResponses", "xdsBytes") and asked for
        ("statisticsRequests", "statisticsBytes")."""
        self.name, self.address, self.xds_port, self.tls = name, address, xds_port, tls
        self.counters = counters
        self.started = time.time()
        self.revisions = Revisions()
        self.subscriptions = delta.Subscriptions(name)

    async def listen(self):
        application = web.Application()
        application.router.add_get("/stats", self._statistics)
        runner = web.AppRunner(application, access_log=None, max_line_size=ENVOYS_LIMIT, max_field_size=ENVOYS_LIMIT)
        await runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.tls / "ca.crt")
        context.load_cert_chain(self.tls / "tls.crt", self.tls / "tls.key")
        context.verify_mode = ssl.CERT_REQUIRED
        await web.TCPSite(runner, self.address, STATISTICS_PORT, ssl_context=context).start()

    async def follow(self):
        """Stays subscribed; a stream that ends is opened again a second later."""
        authority, key, certificate = ((self.tls / file).read_bytes() for file in ("ca.crt", "tls.key", "tls.crt"))
        credentials = grpc.ssl_channel_credentials(authority, key, certificate)
        options = [("grpc.ssl_target_name_override", "tidegate-xds.tidegate-system.svc"),
                   ("grpc.max_receive_message_length", -1)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{self.xds_port}", credentials, options) as channel:
            while True:
                try:
                    await self.follow_stream(channel)
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:   # the latter: it ended while we wrote
                    print(f"{self.name}: the stream ended: {error!r}", flush=True)
                await asyncio.sleep(1)

    async def follow_stream(self, channel):
        """Over one stream, until the server ends it."""
        open_stream = channel.stream_stream(
            delta.METHOD, request_serializer=delta.Request.SerializeToString, response_deserializer=self._read)
        stream = open_stream()
        self.subscriptions.restart()
        for request in self.subscriptions.first():
            await stream.write(request)
        while True:
            response = await stream.read()
            if response is grpc.aio.EOF:
                return
            for request in self.subscriptions.answer(response):
                await stream.write(request)
            if response.type_url == discovery.CLUSTERS:
                self.revisions.note(self.subscriptions.clusters, time.time())

    def _read(self, message):
        self.counters["xdsResponses"] += 1
        self.counters["xdsBytes"] += len(message)
        return delta.Response.FromString(message)

    async def _statistics(self, request):
        query = request.query.get("filter", "")
        lines = process_statistics(self.subscriptions.applied_version, int(time.time() - self.started), query)
        lines += statistics(self.revisions.of(wanted_objects(query)), "latency" in query, time.time())
        text = "\n".join(lines) + "\n"
        self.counters["statisticsRequests"] += 1
        self.counters["statisticsBytes"] += len(text)
        return web.Response(text=text)


# Running the operator's regular expression over all lines would be the faithful thing and is too slow in Python: of the
# objects that it names only the names are read, and it is run without them over the few lines of the process.
NAMED_OBJECTS = re.compile(r"(cluster\\\.\)?)\(([^)]*)\)/")


def wanted_objects(expression):
    """The objects that the regular expression names; None: it names none, so all."""
    named = NAMED_OBJECTS.search(expression)
    return set(named[2].split("|")) if named else None


def process_statistics(applied_version, uptime, expression):
    """The lines about the gateway itself that the regular expression lets through."""
    lines = [f'{discovery.VERSION_STATISTIC}: "{applied_version}"'] if applied_version else []
    lines.append(f"server.uptime: {uptime}")
    wanted = re.compile(NAMED_OBJECTS.sub(r"\1(-)/", expression))
    return [line for line in lines if wanted.search(line.partition(":")[0])]


def statistics(revisions, with_durations, now):
    """The lines of these revisions: [(name, since when)]."""
    lines = []
    for revision, since in revisions:
        requests = int((now - since) * REQUESTS_PER_SECOND)
        lines.append(f"tidegate.requests.cluster.{revision}: {requests}")
        if with_durations and requests:
            totals = ", ".join(f"{lower},1000:{requests * share // 100}" for lower, share in DURATIONS.items()
                               if requests * share // 100)
            lines += [f"tidegate.latency.cluster.{revision}:", f"  totals={totals}", "  intervals=", "  summary="]
    return lines
