"""REST calls for rejected messages: list them, delete them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.device.views import RejectionView, rejection_view
from protocol.problems.detail import Detail
from protocol.rest.listing import REJECTIONS
from protocol.rest.shapes import Deleted, Id, Page, Time
from web.api.spans import instant
from web.http.context import Call
from web.http.listing import SearchQuery, listed, some_id
from web.http.missing import missing
from web.http.operation import Json
from web.http.routing import Api
from web.people.activity import note_soon

api = Api("feeds")

ReasonName = Annotated[str, Meta(max_length=64)]


class RejectionsQuery(SearchQuery, frozen=True, kw_only=True):
    """`q`: a part of the topic or of the error detail."""

    device_id: Id | None = None
    reason: ReasonName | None = None


class DeletionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Of a device, with a reason, received before a time (RFC 3339); default: all."""

    device_id: Id | None = None
    reason: ReasonName | None = None
    before: Time | None = None


@api.operation("GET", "/rejected-messages", query=RejectionsQuery, answer=Json(Page[RejectionView]))
async def list_rejections(call: Call, query: RejectionsQuery) -> Page[RejectionView]:
    """List rejected messages, newest first; `sort` takes reason and topic.

    Beyond the budget of a device or user, rejected messages are only counted.
    """
    device_id = some_id("device_id", query.device_id)
    return await listed(
        call, REJECTIONS, query, rejection_view, device_id=device_id, reason=query.reason
    )


@api.operation("DELETE", "/rejected-messages", query=DeletionQuery, answer=Json(Deleted))
async def delete_rejections(call: Call, query: DeletionQuery) -> Deleted:
    """Delete rejected messages, all or those that match the query."""
    device_id, before_us = some_id("device_id", query.device_id), instant("before", query.before)
    # Messages received before this request must be stored first, or they would not be deleted.
    await call.service.writer.barrier()
    many = await call.service.store.delete_rejections(
        call.user.id, device_id, query.reason, before_us
    )
    note_soon(call, "rejections_deleted", Detail("log_messages", count=many))
    return Deleted(many)


@api.operation("DELETE", "/rejected-messages/<rejection_id>", status=204, errors=(404,))
async def delete_rejection(call: Call, rejection_id: str) -> None:
    """Delete one rejected message."""
    if not await call.service.store.delete_rejection(call.user.id, rejection_id):
        raise missing("rejection_id")
    note_soon(call, "rejections_deleted", Detail("log_message"))
