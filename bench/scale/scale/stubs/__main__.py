"""python -m scale.stubs --store-port P --xds-port P --tls DIR --gateway NAME=ADDRESS …: an object store, and gateways that
subscribe to the operator and answer for their statistics; until it is terminated."""
import argparse
import asyncio
import collections
import pathlib

from aiohttp import web

from . import object_store
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
    object_store.add_routes(application, counters)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    gateways = [Gateway(*gateway.split("="), options.xds_port, options.tls, counters) for gateway in options.gateway]
    for gateway in gateways:
        await gateway.listen()
    await web.TCPSite(runner, "127.0.0.1", options.store_port).start()
    await asyncio.gather(*(gateway.follow() for gateway in gateways))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store-port", type=int, required=True)
    parser.add_argument("--xds-port", type=int, required=True)
    parser.add_argument("--tls", type=pathlib.Path, required=True, help="folder with tls.crt, tls.key and ca.crt")
    parser.add_argument("--gateway", action="append", default=[])
    asyncio.run(serve(parser.parse_args()))


main()
