"""The demo's screens: media from files, their schedules, and what became of a week of them."""

import random
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import trio

from actors.media.sniffing import Sniffer
from actors.service import Service
from protocol.media.media import Media
from protocol.problems.detail import Detail
from protocol.schedule.civil import zone_of
from protocol.schedule.recurrence import upcoming
from protocol.schedule.schedules import COMPLETED, FAILED, MISSED, Occurrence, Schedule, planned
from protocol.times import EPOCH, SECOND_US
from roost.demo.business import PLAYS, ZONE, Play
from roost.demo.readings import SEED
from roost.provisioning import NewLogin

FOLDER = Path(__file__).parent / "media"
QUOTA_BYTES = 64 << 20
DAY_US = 24 * 3_600 * SECOND_US
WEEK_US = 7 * DAY_US
PLAYS_MAX = 100
OFFLINE = Detail("play_offline")
# So soon after the start a film plays, for whoever looks.
FIRST_FILM_US = 90 * SECOND_US


async def add_signage(
    service: Service, user_id: str, logins: Mapping[str, NewLogin], now_us: int
) -> None:
    """Add what is missing. Schedules have ids that follow from the user, so none comes twice."""
    media = {
        file.name: await _add_media(service, user_id, file, now_us - (11 - n) * DAY_US)
        for n, file in enumerate(sorted(FOLDER.iterdir()))
    }
    for play in PLAYS:
        for screen in play.screens:
            device_id = logins[screen].device_id
            plan = _schedule(user_id, play, media[play.media], device_id, now_us)
            added = await _add(service, plan, now_us)
            if added is not None:
                played = _played(added, screen, now_us)
                await service.store.add_played(added, played)
    film = Schedule(
        id=_id(user_id, "first film"),
        user_id=user_id,
        device_id=logins[PLAYS[0].screens[0]].device_id,
        media_id=media["sunrise.webm"].id,
        trigger_us=now_us + FIRST_FILM_US,
        timezone=ZONE,
        recurrence=None,
        created_us=now_us,
    )
    await _add(service, film, now_us)


async def _add_media(service: Service, user_id: str, file: Path, at_us: int) -> Media:
    """The user's media with this content, added if there is none."""
    content = await trio.Path(file).read_bytes()
    sniffer = Sniffer()
    sniffer.feed(content)
    sniffed = sniffer.finish()
    async with service.files.draft() as draft:
        await draft.write(content)
        media = Media(
            num=0,
            id=service.ids.uuid(),
            user_id=user_id,
            filename=file.name,
            content_type=sniffed.content_type,
            size=draft.size,
            sha256=await draft.seal(),
            width=sniffed.width,
            height=sniffed.height,
            created_us=at_us,
        )
        return await service.media.add(media, draft, QUOTA_BYTES)


def _schedule(user_id: str, play: Play, media: Media, device_id: str, now_us: int) -> Schedule:
    """It was made a week ago."""
    since_us = now_us - WEEK_US
    return Schedule(
        id=_id(user_id, f"{play.media}/{device_id}"),
        user_id=user_id,
        device_id=device_id,
        media_id=media.id,
        trigger_us=_first(play, since_us),
        timezone=ZONE,
        recurrence=play.rule,
        created_us=since_us,
    )


async def _add(service: Service, schedule: Schedule, now_us: int) -> Schedule | None:
    """None if it is there already."""
    if await service.store.schedule(schedule.user_id, schedule.id) is not None:
        return None
    schedule, due = planned(schedule, now_us)
    return await service.changes.add_schedule(schedule, due, PLAYS_MAX)


def _first(play: Play, since_us: int) -> int:
    """The first time of day of a play from an instant on."""
    zone = zone_of(ZONE)
    day = (EPOCH + timedelta(microseconds=since_us)).astimezone(zone)
    at = datetime(day.year, day.month, day.day, play.hour, play.minute, tzinfo=zone)
    if at < day:
        at += timedelta(days=1)
    return (at - EPOCH) // timedelta(microseconds=1)


def _played(schedule: Schedule, screen: str, now_us: int) -> list[Occurrence]:
    """What became of it: nearly all were played, some were missed, and one failed."""
    rng = random.Random(f"{SEED}/{screen}/{schedule.trigger_us % DAY_US}")
    due = [
        us
        for us in upcoming(schedule.rule, schedule.created_us, PLAYS_MAX).instants
        if us <= now_us
    ]
    return [_became(schedule, us, rng) for us in due]


def _became(schedule: Schedule, due_us: int, rng: random.Random) -> Occurrence:
    fate = rng.random()
    triggered_us = due_us + rng.randrange(20_000, 400_000)
    shown_us = triggered_us + rng.randrange(200_000, 1_800_000)
    played = Occurrence(
        id="",
        schedule_id=schedule.id,
        user_id=schedule.user_id,
        device_id=schedule.device_id,
        due_us=due_us,
        state=COMPLETED,
        triggered_us=triggered_us,
        acknowledged_us=shown_us,
        completed_us=shown_us + 30 * SECOND_US,
    )
    if fate < 0.08:
        return msgspec.structs.replace(
            played,
            state=MISSED,
            triggered_us=None,
            acknowledged_us=None,
            completed_us=None,
            detail=str(OFFLINE),
            coded=OFFLINE.coded,
        )
    if fate < 0.13:
        words = "no space left on the screen"  # the device's own
        return msgspec.structs.replace(played, state=FAILED, detail=words, coded=None)
    return played


def _id(user_id: str, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(user_id), f"{SEED}/{name}"))
