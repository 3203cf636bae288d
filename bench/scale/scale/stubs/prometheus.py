"""A Prometheus for Flagger: every query has the answer of a healthy service."""
import time

from aiohttp import web


def add_routes(application, counters):
    """`counters["prometheusQueries"]` counts the queries."""
    async def query(request):
        counters["prometheusQueries"] += 1
        result = {"metric": {}, "value": [time.time(), answer(request.query.get("query", ""))]}
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": [result]}})

    application.router.add_get("/api/v1/query", query)


def answer(query):
    """The value: 1 to the question whether it is there, 0.1 s for a duration, else 100 per cent success."""
    if "vector(1)" in query:
        return "1"
    return "0.1" if "histogram_quantile" in query else "100"
