"""What the server's records say about runs. Functions over its lists of runs and threads.

A run that waits ("pending") needs no process: the server's workers take it up whenever they start.
One that is "running" needs the process that runs it. After a hard kill the server itself lets such
runs wait again, and gives up after three tries; servers that do not yet are helped here.
"""


def is_due(run, now):
    return run["status"] == "pending" and run["created_at"] <= now


def busy_runs(records, now):
    """Runs that a stop has to wait for: not those scheduled for later, which the next start takes up."""
    return [run for run in records["runs"] if run["status"] == "running" or is_due(run, now)]


def count_runs(records, now):
    """How many runs wait and run, and for how long the oldest has waited."""
    due = [run["created_at"] for run in records["runs"] if is_due(run, now)]
    running = sum(run["status"] == "running" for run in records["runs"])
    oldest = max(((now - at).total_seconds() for at in due), default=0)
    return {"pending": len(due), "running": running, "oldest_ms": round(oldest * 1000)}


def free_orphans(records, now):
    """After a hard kill: what nobody runs any more waits again; threads with nothing left are not busy."""
    runs = [run for run in records["runs"] if run["status"] == "running"]
    for run in runs:
        run.update(status="pending", updated_at=now)
    threads = stuck_threads(records)
    for thread in threads:
        thread.update(status="error", updated_at=now)
    return [str(run["run_id"]) for run in runs], [str(thread["thread_id"]) for thread in threads]


def end_interrupted(records, now):
    """At the drain limit: what did not heed its cancellation is recorded as interrupted all the same."""
    runs = busy_runs(records, now)
    for run in runs:
        run.update(status="interrupted", updated_at=now)
    for thread in stuck_threads(records):
        thread.update(status="idle", updated_at=now)
    return [str(run["run_id"]) for run in runs]


def stuck_threads(records):
    """Threads that say busy with nothing left that could end it."""
    held = {str(run["thread_id"]) for run in records["runs"] if run["status"] in ("pending", "running")}
    return [t for t in records["threads"] if t.get("status") == "busy" and str(t["thread_id"]) not in held]
