"""How the work of this process stands.

Without Redis every run begins at once, in the process that took it, and nothing ever waits: what is
counted is what runs here. With Redis runs wait in one queue for the workers of all processes on one
database: what waits is told as shared, so that it is not counted once for each of them.
"""

import asyncio
import concurrent.futures
from datetime import UTC, datetime

PATIENCE = 4  # seconds; who asks waits for five


class Count:
    """Called by the thread of the control socket. What waits is looked up on the loop that owns the
    connections, once it runs."""

    def __init__(self):
        self.loop = None

    def serving(self, loop):
        self.loop = loop

    def __call__(self):
        from aegra_api.core.active_runs import active_runs
        from aegra_api.settings import settings

        running = sum(not task.done() for task in list(active_runs.values()))
        if not settings.redis.REDIS_BROKER_ENABLED:
            return {"pending": 0, "running": running, "oldest_ms": 0}
        workers = settings.worker.WORKER_COUNT * settings.worker.N_JOBS_PER_WORKER
        waiting = {"pending": 0, "oldest_ms": 0}
        if self.loop is not None:
            waiting = self._wait_for(look_at_queue(settings.worker.WORKER_QUEUE_KEY))
        if workers == 0:  # those that wait do so for another process
            waiting["oldest_ms"] = 0
        return {**waiting, "running": running, "workers": workers, "shared": True}

    def _wait_for(self, question):
        asked = asyncio.run_coroutine_threadsafe(question, self.loop)
        try:
            return asked.result(PATIENCE)
        except concurrent.futures.TimeoutError:
            asked.cancel()
            raise


async def look_at_queue(key):
    """How many runs wait, and for how long the one whose turn it is has been there."""
    from aegra_api.core.database import db_manager
    from aegra_api.core.redis_manager import redis_manager

    client = redis_manager.get_client()
    pending, first = await client.llen(key), await client.lindex(key, 0)
    if first is None:
        return {"pending": 0, "oldest_ms": 0}
    async with db_manager.lg_pool.connection() as connection:
        cursor = await connection.execute("SELECT created_at FROM runs WHERE run_id = %s", (first,))
        row = await cursor.fetchone()
    waited = (datetime.now(UTC) - row["created_at"]).total_seconds() if row else 0
    return {"pending": pending, "oldest_ms": max(0, round(waited * 1000))}
