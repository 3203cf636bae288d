"""A bucket that holds every model, each with versions 1 to 99: answers ListObjectsV2, path style, any signature. Two
versions of a model differ in their ETags, and so in their digests."""
import hashlib

from aiohttp import web

VERSIONS = range(1, 100)
FILES = {"saved_model.pb": 40_000, "variables/variables.index": 900, "variables/variables.data-00000-of-00001": 1_200_000}


def add_routes(application, counters):
    """`counters["storeRequests"]` counts the listings."""
    async def answer(request):
        counters["storeRequests"] += 1
        text = listing(request.match_info["bucket"], request.query.get("prefix", ""), request.query.get("delimiter", ""))
        return web.Response(text=text, content_type="application/xml")

    application.router.add_get("/{bucket}", answer)
    application.router.add_get("/{bucket}/", answer)


def listing(bucket, prefix, delimiter):
    """The answer for "<model>/" with a delimiter (its versions) or "<model>/<version>/" without (its files)."""
    parts = prefix.rstrip("/").split("/")
    entries = []
    if delimiter:
        entries = [f"<CommonPrefixes><Prefix>{parts[0]}/{version}/</Prefix></CommonPrefixes>" for version in VERSIONS]
    elif len(parts) == 2 and parts[1].isdigit() and int(parts[1]) in VERSIONS:
        entries = [_object(prefix + path, size) for path, size in FILES.items()]
    return (f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>{bucket}</Name><Prefix>{prefix}</Prefix>'
            f"<EncodingType>url</EncodingType><KeyCount>{len(entries)}</KeyCount><IsTruncated>false</IsTruncated>"
            f"{''.join(entries)}</ListBucketResult>")


def _object(key, size):
    etag = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
    return (f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>")
