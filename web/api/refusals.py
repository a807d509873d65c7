"""What was refused: listed, and deleted."""

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.errors import NotFound
from protocol.ids import is_uuid
from protocol.rest.listing import REJECTIONS
from protocol.rest.resources import Deleted, Id, Page, RejectionView, Time, rejection_view
from web.api.values import instant
from web.http.context import Call
from web.http.listing import SearchQuery, listed, some_id
from web.http.routing import Api

api = Api("feeds")

ReasonName = Annotated[str, Meta(max_length=64)]


class RejectionsQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of a topic or of what was wrong."""

    device_id: Id | None = None
    reason: ReasonName | None = None


class DeletionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which: those of a device, of a reason, received before a time (RFC 3339); all without any."""

    device_id: Id | None = None
    reason: ReasonName | None = None
    before: Time | None = None


@api.operation("GET", "/rejected-messages", query=RejectionsQuery, answer=Page[RejectionView])
async def list_rejections(call: Call, query: RejectionsQuery) -> Page[RejectionView]:
    """What was refused and why, newest first; or sorted by reason or topic. What is refused beyond
    the budget of a device or user is counted with the device and not kept."""
    device_id = some_id("device_id", query.device_id)
    return await listed(
        call, REJECTIONS, query, rejection_view, device_id=device_id, reason=query.reason
    )


@api.operation("DELETE", "/rejected-messages", query=DeletionQuery, answer=Deleted)
async def delete_rejections(call: Call, query: DeletionQuery) -> Deleted:
    """Delete what was refused, or a part of it."""
    device_id, before_us = some_id("device_id", query.device_id), instant("before", query.before)
    # What was taken before this request is committed before it may be deleted.
    await call.service.writer.barrier()
    many = await call.service.store.delete_rejections(
        call.user.id, device_id, query.reason, before_us
    )
    return Deleted(many)


@api.operation("DELETE", "/rejected-messages/<rejection_id>", status=204, errors=(404,))
async def delete_rejection(call: Call, rejection_id: str) -> None:
    """Delete one of them."""
    known = is_uuid(rejection_id)
    if not (known and await call.service.store.delete_rejection(call.user.id, rejection_id)):
        raise NotFound("there is no such refusal")
