"""What the launchers of all agent servers in Python share.

A launcher runs one app in the foreground: one process, no watcher, no command line.

    loading ── any failure: one line "slipway: failed to start: ..." ──> exit 1
       └──> serving ── SIGTERM ──> draining ──> exit 0

What it is told, by environment alone, is listed in settings.py.
"""
