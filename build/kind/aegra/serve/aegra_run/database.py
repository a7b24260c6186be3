"""Which PostgreSQL, and whose turn it is to set it up."""

import time

from slipway_serve.failure import Mistake
from slipway_serve.log import info

TURN = 0x736C6970  # the key of our advisory lock
TURN_LIMIT = 120  # seconds
LOOK_AGAIN = 0.2

HINT = "A database is made for each deployment, unless its secrets name one: POSTGRES_URI_CUSTOM, postgresql://user:password@host:5432/name."


def choose(env):
    """Aegra reads other names. What the deployment says wins over what the app does."""
    address = env.get("POSTGRES_URI_CUSTOM") or env.get("POSTGRES_URI") or env.get("DATABASE_URL")
    if not address:
        raise Mistake("Aegra keeps its state in PostgreSQL, and no database is given: POSTGRES_URI_CUSTOM is not set", code="database_missing", hint=HINT)
    if not address.startswith(("postgresql://", "postgres://", "postgresql+")):
        raise Mistake("POSTGRES_URI_CUSTOM is not the address of a PostgreSQL", code="database_invalid", hint=HINT)
    env["DATABASE_URL"] = address
    if redis := env.get("REDIS_URI_CUSTOM") or env.get("REDIS_URI"):
        env["REDIS_URL"], env["REDIS_BROKER_ENABLED"] = redis, "true"


def take_turn(address):
    """A connection that holds the turn as long as it is open. Who waits asks again and again: a
    statement that waited would hold up the indexes that the other one builds."""
    import psycopg

    plain = "postgresql" + address[address.index("://") :]
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=15)
    except psycopg.OperationalError as wrong:
        raise Mistake(f"PostgreSQL can not be reached: {wrong}", code="database_unreachable", hint=HINT, passes=True) from None
    began, waited = time.monotonic(), False
    while not connection.execute("SELECT pg_try_advisory_lock(%s)", (TURN,)).fetchone()[0]:
        if time.monotonic() - began > TURN_LIMIT:
            raise Mistake(f"another instance has been setting up the database for {TURN_LIMIT} s", code="database_busy", passes=True)
        if not waited:
            info("waiting: another instance sets up the database")
            waited = True
        time.sleep(LOOK_AGAIN)
    return connection
