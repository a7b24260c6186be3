"""Sockets lie in folders that nobody else can reach. A path may be longer than a socket's name can
be, so it is bound through the folder."""

import contextlib
import os
import socket


def bind(path):
    folder = os.open(os.path.dirname(path), os.O_RDONLY)  # as long as we live
    name = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    with contextlib.suppress(FileNotFoundError):
        os.remove(name)  # of an attempt that was killed
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(name)
    return sock
