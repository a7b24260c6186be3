"""A server that listens on a socket is reached at its port too, by its own app alone: many apps call
themselves there. Any program of this machine can connect to a port; one of another user is sent away
before a byte is read."""

import os
import socket
import struct

ESTABLISHED = "01"


def guarded(protocol, settings):
    """A protocol of uvicorn that does so. Who comes by the socket comes from this machine, as all do at
    a port, for what looks at that."""

    class Guarded(protocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            peer = transport.get_extra_info("socket")
            if peer.family == socket.AF_UNIX:
                self.client, self.server = ("127.0.0.1", 0), (settings.host, settings.port)
            elif not is_ours(peer):
                transport.abort()

    return Guarded


def is_ours(conn):
    """Whether who connected is of our user, or root, by the kernel's tables. One that has left is of
    nobody."""
    try:
        theirs, ours = entry(conn.getpeername()), entry(conn.getsockname())
    except OSError:
        return False
    for table in ("tcp", "tcp6"):
        with open(f"/proc/self/net/{table}", encoding="ascii") as lines:
            for _, local, remote, state, _, _, _, uid, *_ in map(str.split, lines):
                if state == ESTABLISHED and local.endswith(theirs) and remote.endswith(ours):
                    return int(uid) in (0, os.getuid())
    return False


def entry(end):
    """An end of a connection as the tables end it: those of IPv6 have addresses of IPv4 in longer ones."""
    address, port = end[0].removeprefix("::ffff:"), end[1]
    return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}:{port:04X}"
