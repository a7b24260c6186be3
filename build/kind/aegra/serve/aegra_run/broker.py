"""What Aegra tells of a run by Redis, all of it.

Who streams a run reads what was told so far and then listens. What is told in between, Aegra has it
miss: it looks only whether the run has ended, here or elsewhere, and if so ends the answer without
the last of it. On a busy machine every hundredth answer lacked its end. Here what was told is read
when it is listened already, and each event is passed on once.
"""

import asyncio
import json

from slipway_serve.log import warn

SILENCE = 0.5  # seconds after which is asked whether the run has ended
PAUSES = (0.5, 1, 2, 4, 8, 16, 30)  # seconds between attempts to reach Redis


def mend():
    from aegra_api.services.redis_broker import RedisRunBroker

    RedisRunBroker.aiter = events


async def events(broker):
    """All that is told of a run from its beginning, to its end. Who streams leaves out what it had."""
    from redis import RedisError

    told, broken = set(), 0
    while True:
        try:
            async for event, payload in listen(broker):
                broken = 0
                if event not in told:
                    told.add(event)
                    yield event, payload
            return
        except RedisError as error:
            pause = PAUSES[min(broken, len(PAUSES) - 1)]
            broken += 1
            warn("Redis does not tell of a run", run=broker.run_id, error=repr(error), again_s=pause)
            await asyncio.sleep(pause)


async def listen(broker):
    from aegra_api.core.redis_manager import redis_manager

    channel = redis_manager.get_client().pubsub(ignore_subscribe_messages=True)
    try:
        await channel.subscribe(broker._channel)
        for event, payload in await broker.replay(None):
            yield event, payload
            if ends(broker, payload):
                return
        while True:
            said = await channel.get_message(timeout=SILENCE)
            if said is None:
                if not broker.is_finished():
                    continue
                for event, payload in await broker.replay(None):  # the end too, though it was not heard yet
                    yield event, payload
                return
            message = json.loads(said["data"])
            payload = read(message["payload"])
            yield message["event_id"], payload
            if ends(broker, payload):
                return
    finally:
        await channel.aclose()


def read(payload):
    """Events are tuples, which JSON does not have."""
    from aegra_api.services.redis_broker import _deserialize_payload

    return _deserialize_payload(payload)


def ends(broker, payload):
    if not (isinstance(payload, tuple) and payload[:1] == ("end",)):
        return False
    broker.mark_finished()
    return True
