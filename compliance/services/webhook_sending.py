"""Sending signed webhooks, many at a time. No transaction is open meanwhile."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime

import aiohttp

from compliance import webhooks
from compliance.models import PropagationState
from compliance.services.propagation import Outcome, Parcel

AT_ONCE = 20
TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
DONE, ACCEPTED = (200, 204), 202

Clock = Callable[[], datetime]


def send_all(parcels: Sequence[Parcel], *, clock: Clock) -> list[Outcome]:
    """Tell each system; returns how each attempt ended, in the order of the parcels.

    200 and 204 acknowledge, 202 says that the receiver will acknowledge over the API; anything else, a redirect too, is
    an error and tried again.
    """
    return asyncio.run(_send_all(parcels, clock))


async def _send_all(parcels: Sequence[Parcel], clock: Clock) -> list[Outcome]:
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, trust_env=True) as session:
        return await asyncio.gather(*[_send(session, parcel, clock) for parcel in parcels])


async def _send(session: aiohttp.ClientSession, parcel: Parcel, clock: Clock) -> Outcome:
    body = json.dumps(parcel.payload, separators=(",", ":")).encode()
    signed = webhooks.headers(secret=parcel.secret, message_id=parcel.uid, body=body, now=clock())
    headers = {**signed, "Content-Type": "application/json", "User-Agent": "Heed"}
    try:
        async with session.post(parcel.url, data=body, headers=headers, allow_redirects=False) as answer:
            status = answer.status
    except TimeoutError:
        return Outcome(parcel.task_id, PropagationState.PENDING, "no answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome(parcel.task_id, PropagationState.PENDING, f"{type(error).__name__}: {error}")
    if status in DONE:
        return Outcome(parcel.task_id, PropagationState.ACKNOWLEDGED)
    if status == ACCEPTED:
        return Outcome(parcel.task_id, PropagationState.TOLD)
    return Outcome(parcel.task_id, PropagationState.PENDING, f"answered {status}")
