# SPDX-License-Identifier: Apache-2.0
"""PROXY protocol headers: version 1 as text, version 2 by its parts, and a reader of what weir
sends."""
import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL = 1, 2, 3, 4, 5, 0x20


def v1(source="203.0.113.7", destination="198.51.100.1", ports=(4711, 443), family=None):
    family = family or ("TCP6" if ":" in source else "TCP4")
    return b"PROXY %s %s %s %d %d\r\n" % (family.encode(), source.encode(), destination.encode(),
                                          *ports)


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def v2(source="203.0.113.7", destination="198.51.100.1", ports=(4711, 443), tlvs=b"", command=1,
       family=None, version=2, length=None, addresses=None):
    if addresses is None:
        packed = [ipaddress.ip_address(a).packed for a in (source, destination)]
        addresses = b"".join(packed) + struct.pack(">HH", *ports)
    if family is None:
        family = 0x21 if ":" in source else 0x11
    rest = addresses + tlvs
    return SIGNATURE + struct.pack(">BBH", version << 4 | command, family,
                                   len(rest) if length is None else length) + rest


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def with_crc(**rest):
    """Version 2 with a checksum, which counts as zero while it is computed."""
    plain = v2(tlvs=tlv(CRC32C, b"\0\0\0\0"), **rest)
    return plain[:-4] + struct.pack(">I", crc32c(plain))


class Header:
    """A version 2 header as read from `peer`."""

    def __init__(self, peer):
        fixed = peer.read_exact(16)
        assert fixed[:12] == SIGNATURE, fixed
        self.version, self.command = fixed[12] >> 4, fixed[12] & 15
        self.family = fixed[13]
        rest = peer.read_exact(struct.unpack(">H", fixed[14:])[0])
        size = {0x11: 4, 0x21: 16}.get(self.family)
        self.source = self.destination = self.ports = None
        if size:
            self.source = str(ipaddress.ip_address(rest[:size]))
            self.destination = str(ipaddress.ip_address(rest[size:2 * size]))
            self.ports = struct.unpack(">HH", rest[2 * size:2 * size + 4])
            rest = rest[2 * size + 4:]
        self.tlvs = {}
        while rest:
            kind, length = struct.unpack(">BH", rest[:3])
            self.tlvs[kind] = rest[3:3 + length]
            rest = rest[3 + length:]
