"""Clients that keep a server waiting: each sends a byte now and then and never gets to the end of its request."""

import itertools
import resource
import socket

# What is sent, byte by byte. REST: a head that goes on and on.
REST = b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nX: ", b"a"
# HTTP/2's preface, and settings without an end.
GRPC = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x3f\xfc\x04\x00\x00\x00\x00\x00", b"\x00"


def allow_descriptors():
    """As many for this process as the system permits; returns the number."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class SlowCrowd:
    """`count` connections to `address` ("127.0.0.1:80") that behave as `manner`, REST or GRPC."""

    def __init__(self, address, count, manner):
        begin, goes_on = manner
        self.bytes = itertools.chain((begin[i:i + 1] for i in range(len(begin))), itertools.repeat(goes_on))
        host, port = address.split(":")
        self.open = [socket.create_connection((host, int(port)), timeout=30) for _ in range(count)]
        for one in self.open:
            one.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.open:
            one.close()

    def go_on(self):
        """Each sends its next byte; those that the server has ended are dropped. Returns how many are left."""
        byte = next(self.bytes)
        still = []
        for one in self.open:
            if self._sends(one, byte):
                still.append(one)
            else:
                one.close()
        self.open = still
        return len(still)

    @staticmethod
    def _sends(one, byte):
        try:
            one.send(byte)
            while one.recv(4096):  # the server's own settings, or what it says at the end
                pass
            return False
        except BlockingIOError:
            return True
        except OSError:
            return False
