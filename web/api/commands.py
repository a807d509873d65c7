"""REST calls for commands: send, list, show, cancel."""

from typing import Annotated

from msgspec import Meta

from protocol import codec
from protocol.device.commands import (
    PAYLOAD_BYTES_MAX,
    STATES,
    Command,
    CommandView,
    NewCommand,
    command_view,
)
from protocol.errors import Invalid
from protocol.ids import is_uuid
from protocol.problems.detail import Detail
from protocol.rest.listing import COMMANDS
from protocol.rest.shapes import Page
from protocol.times import SECOND_US
from web.api.devices import device_of
from web.http.context import Call
from web.http.listing import ListQuery, listed, shown_alone, some_of
from web.http.missing import missing
from web.http.operation import Condition, Json
from web.http.preconditions import id_for, used_otherwise
from web.http.routing import Api

api = Api("commands")


class CommandsQuery(ListQuery, frozen=True, kw_only=True):
    """`state`: queued, sent, delivered, …, or several separated by commas; default: all."""

    state: str | None = None
    type: Annotated[str, Meta(max_length=64)] | None = None


@api.operation(
    "POST",
    "/devices/<device_id>/commands",
    body=Json(NewCommand),
    answer=Json(CommandView),
    status=201,
    errors=(404, 409),
    condition=Condition.AGAIN,
)
async def send_command(call: Call, device_id: str, body: NewCommand) -> CommandView:
    """Send a command to a device.

    It is stored, and sent again until the device answers or it expires.
    """
    device = await device_of(call, device_id)
    now_us = call.service.clock.now_us()
    payload = codec.encode(body.payload)
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Invalid(
            {"payload": Detail("payload_too_large", size=len(payload), most=PAYLOAD_BYTES_MAX)}
        )
    own = None if body.id is None else body.id.lower()
    command_id = id_for(call, f"command {device.id}") if own is None else own
    if not is_uuid(command_id):
        raise Invalid({"id": Detail("not_id")})
    command = await call.service.store.add_command(
        Command(
            id=command_id,
            user_id=call.user.id,
            device_id=device.id,
            device_num=device.num,
            device_code=device.code,
            type=body.type,
            payload=payload.decode(),
            parallel=body.parallel,
            created_us=now_us,
            expires_us=now_us + body.ttl_s * SECOND_US,
            next_try_us=now_us,
        )
    )
    if own is None and (command.type, command.payload) != (body.type, payload.decode()):
        raise used_otherwise()
    call.service.told_of(command)
    return command_view(command)


@api.operation(
    "GET",
    "/devices/<device_id>/commands",
    query=CommandsQuery,
    answer=Json(Page[CommandView]),
    errors=(404,),
)
async def list_commands(call: Call, device_id: str, query: CommandsQuery) -> Page[CommandView]:
    """List the commands of a device, newest first; `sort` takes type, state and expires_at."""
    device = await device_of(call, device_id)
    state = some_of("state", query.state, STATES)
    return await listed(
        call, COMMANDS, query, command_view, device_id=device.id, state=state, type=query.type
    )


@api.operation("GET", "/commands/<command_id>", answer=Json(CommandView), errors=(404,))
async def show_command(call: Call, command_id: str) -> CommandView:
    """Show a command and its state."""
    return await shown_alone(call, COMMANDS, await command_of(call, command_id), command_view)


@api.operation("DELETE", "/commands/<command_id>", status=204, errors=(404, 409))
async def cancel_command(call: Call, command_id: str) -> None:
    """Cancel a command that the device has not answered yet."""
    changed = await call.service.store.cancel_command(
        call.user.id, command_id, call.service.clock.now_us()
    )
    if not changed.commands:
        raise missing("command_id")
    call.service.scheduler.changed(changed)


async def command_of(call: Call, command_id: str) -> Command:
    command = await call.service.store.command(call.user.id, command_id)
    if command is None:
        raise missing("command_id")
    return command
