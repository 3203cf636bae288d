"""A small S3 client: make a bucket, put, delete and list objects. Signature version 4, standard library only.

Used by the demo's uploader and by the tests on the cluster.
"""
import datetime
import hashlib
import hmac
import http.client
import pathlib
import re
import time
import urllib.parse


class StoreError(Exception):
    """The store refused; the message has its own words."""


class Store:
    def __init__(self, endpoint, access_key, secret_key, region="us-east-1"):
        url = urllib.parse.urlsplit(endpoint)
        self.host, self.access_key, self.secret_key, self.region = url.netloc, access_key, secret_key, region

    def make_bucket(self, bucket):
        """Idempotent."""
        status, body = self._request("PUT", f"/{bucket}")
        if status != 200 and b"BucketAlreadyOwnedByYou" not in body:
            raise StoreError(f"cannot make the bucket {bucket}: {status} {body.decode(errors='replace')}")

    def make_bucket_once_reachable(self, bucket, seconds=30):
        """A Service leads to a pod that is ready only when the node's packet filter has followed."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.make_bucket(bucket)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def put(self, bucket, key, data):
        self._expect(200, "PUT", f"/{bucket}/{key}", data)

    def delete(self, bucket, key):
        self._expect(204, "DELETE", f"/{bucket}/{key}")

    def list(self, bucket, prefix):
        """The keys that begin with `prefix`, at most 1,000."""
        body = self._expect(200, "GET", f"/{bucket}", query={"list-type": "2", "prefix": prefix})
        return [urllib.parse.unquote(key) for key in re.findall(r"<Key>(.*?)</Key>", body.decode())]

    def put_folder(self, bucket, prefix, folder):
        """Uploads every file under `folder`, saved_model.pb last: whoever sees it sees the whole version. Returns bytes.

        What is under `prefix` and not in `folder` is removed: a version is exactly what was uploaded last.
        """
        files = sorted((path for path in pathlib.Path(folder).rglob("*") if path.is_file()),
                       key=lambda path: path.name == "saved_model.pb")
        keys = {f"{prefix}/{path.relative_to(folder)}": path for path in files}
        for key in set(self.list(bucket, prefix + "/")) - set(keys):
            self.delete(bucket, key)
        for key, path in keys.items():
            self.put(bucket, key, path.read_bytes())
        return sum(path.stat().st_size for path in files)

    def _expect(self, wanted, method, path, data=b"", query=None):
        status, body = self._request(method, path, data, query)
        if status != wanted:
            raise StoreError(f"{method} {path}: {status} {body.decode(errors='replace')[:500]}")
        return body

    def _request(self, method, path, data=b"", query=None):
        query = "&".join(f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(v, safe='')}"
                         for k, v in sorted((query or {}).items()))
        path = urllib.parse.quote(path)
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path + ("?" + query if query else ""), data, self._sign(method, path, query, data))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _sign(self, method, path, query, data):
        """The headers of one request. AWS Signature Version 4, as docs.aws.amazon.com/AmazonS3 describes it."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        payload = hashlib.sha256(data).hexdigest()
        headers = {"host": self.host, "x-amz-content-sha256": payload, "x-amz-date": now}
        names = ";".join(sorted(headers))
        canonical = "\n".join([method, path, query, *(f"{k}:{headers[k]}" for k in sorted(headers)), "", names, payload])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in (now[:8], self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, "
                                    f"SignedHeaders={names}, Signature={signature}")
        return headers
