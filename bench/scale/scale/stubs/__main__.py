"""python -m scale.stubs --port P [--xds-port P --tls DIR --gateway NAME=ADDRESS …]: an object store and a
Prometheus on one port, and gateways that subscribe to the operator and answer for their statistics; until it is
terminated."""
import argparse
import asyncio
import collections
import pathlib

from aiohttp import web

from . import object_store, prometheus
from .gateway import Gateway


def add_own_routes(application, counters):
    async def ready(_):
        return web.Response(text="ok\n")

    async def count(_):
        return web.json_response(counters)

    application.router.add_get("/ready", ready)
    application.router.add_get("/counters", count)


async def serve(options):
    application, counters = web.Application(), collections.Counter()
    add_own_routes(application, counters)
    prometheus.add_routes(application, counters)
    object_store.add_routes(application, counters)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    gateways = [Gateway(*gateway.split("="), options.xds_port, options.tls, counters)
                for gateway in options.gateway]
    for gateway in gateways:
        await gateway.listen()
    await web.TCPSite(runner, "127.0.0.1", options.port).start()
    await asyncio.gather(asyncio.Event().wait(), *(gateway.follow() for gateway in gateways))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--gateway", action="append", default=[], help="with the next three")
    parser.add_argument("--xds-port", type=int)
    parser.add_argument("--tls", type=pathlib.Path, help="folder with tls.crt, tls.key and ca.crt")
    options = parser.parse_args()
    if options.gateway and not (options.xds_port and options.tls):
        parser.error("--gateway needs --xds-port and --tls")
    asyncio.run(serve(options))


main()
