"""As much of protobuf's and gRPC's wire format as the requests and answers of this bench need: messages of text, numbers
and other messages. Without generated code, so that the bench starts in no time and no server's own library is measured."""
import struct

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FRAME_HEAD = struct.Struct(">BI")   # not compressed, length


def varint(number):
    """Of a number that is not negative."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """One field: text, bytes (a message too) or a whole number that is not negative."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def fields(message):
    """Yields (number, value) of a message's fields in order; bytes of what has a length or is fixed, else a number.
    ValueError for what is no message."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        kind = key & 7
        if kind == VARINT:
            value, position = _read_varint(message, position)
        elif kind in (BYTES, FIXED64, FIXED32):
            length = {FIXED64: 8, FIXED32: 4}.get(kind)
            if length is None:
                length, position = _read_varint(message, position)
            value, position = message[position:position + length], position + length
            if position > len(message):
                raise ValueError("a field goes beyond its message")
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def _read_varint(message, position):
    number = shift = 0
    while True:
        if position >= len(message):
            raise ValueError("a number goes beyond its message")
        byte = message[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position


def last(message, *path):
    """The value of the last field at a path of numbers; KeyError when there is none."""
    for number in path:
        found = [value for key, value in fields(message) if key == number]
        if not found:
            raise KeyError(path)
        message = found[-1]
    return message


def frame(message):
    """A message as gRPC sends it."""
    return FRAME_HEAD.pack(0, len(message)) + message
