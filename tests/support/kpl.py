"""Aggregated Kinesis records (wire.md section 3), written by hand."""
import hashlib

MAGIC = b"\xf3\x89\x9a\xc2"


def _varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _bytes(field, data):
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def aggregate(parts):
    """One record of these parts: (partition key, text)"""
    keys = list(dict.fromkeys(key for key, _ in parts))
    message = b"".join(_bytes(1, key.encode()) for key in keys)
    for key, text in parts:
        message += _bytes(3, b"\x08" + _varint(keys.index(key)) + _bytes(3, text.encode()))
    return MAGIC + message + hashlib.md5(message).digest()
