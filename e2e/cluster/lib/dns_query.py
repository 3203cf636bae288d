"""dns_query.py SERVER NAME: prints NAME's IPv4 addresses as SERVER tells them; fails when it tells none."""
import socket
import struct
import sys

TYPE_A = 1


def ask(server, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split("."))
    query = struct.pack(">6H", 4242, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", TYPE_A, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(1.0)
        connection.connect((server, 53))
        connection.send(query)
        return connection.recv(4096), len(query)


def skip_name(message, at):
    while message[at] and message[at] < 0xC0:
        at += message[at] + 1
    return at + (2 if message[at] >= 0xC0 else 1)


def addresses(message, at):
    for _ in range(struct.unpack(">H", message[6:8])[0]):
        at = skip_name(message, at)
        kind, _, _, length = struct.unpack(">2HIH", message[at : at + 10])
        at += 10
        if kind == TYPE_A:
            yield socket.inet_ntoa(message[at : at + length])
        at += length


found = list(addresses(*ask(*sys.argv[1:3])))
print(*found)
sys.exit(0 if found else 1)
