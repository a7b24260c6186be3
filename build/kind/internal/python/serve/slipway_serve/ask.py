"""Lets a launcher be asked from outside its container, where nobody reaches its control socket (control.py):

    docker exec -i CONTAINER python3 -I -S slipway_serve/ask.py

Each line of the standard input is passed on, by a connection of its own, and its answer printed: an
empty line if nobody listens, or who listened ended without a word. It ends with its input, and by
itself when nothing has been asked for a while: an engine that was killed never closes it.
"""

import os
import select
import socket
import sys

LONGEST_SILENCE = 120  # seconds


def ask(path, line):
    with socket.socket(socket.AF_UNIX) as conn:
        try:
            conn.connect(path)
            conn.sendall(line)
            return conn.makefile("rb").readline().strip()
        except OSError:
            return b""


def main():
    path = os.environ["SLIPWAY_CONTROL"]
    questions = os.fdopen(0, "rb", buffering=0)
    while select.select([questions], [], [], LONGEST_SILENCE)[0]:
        line = questions.readline()
        if not line:
            return
        sys.stdout.buffer.write(ask(path, line) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
