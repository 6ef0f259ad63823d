"""One user's client: matrix-nio as Debian ships it, with end-to-end encryption.

It reads commands from standard input, one JSON object a line, {"id": 1, "do": "say", "room": ..., "text": ...}, and answers each by
{"id": 1, "result": ...} or {"id": 1, "error": "..."} on standard output, in any order. What "model" answers is the client's own model of
its rooms, and what its callbacks were given; the program judges nothing. It ends when standard input is closed.
"""

import asyncio
import json
import os
import sys
import tempfile
from importlib.metadata import version

import nio

SYNC_TIMEOUT = 2000  # ms: short, because servers may hold a /sync although a device list has changed


class Client:
    def __init__(self):
        self.nio = None
        self.changed = asyncio.Condition()
        self.version = 0  # of the model: counts what came from the server
        self.timelines = {}  # by room: what the callbacks were given, in order
        self.undecrypted = {}  # Megolm events whose key has not arrived, by event ID
        self.left = set()
        self.sync_error = None
        self.tasks = []

    def open(self, user):
        config = nio.AsyncClientConfig(encryption_enabled=True, max_timeouts=1, max_limit_exceeded=1, request_timeout=60)
        self.nio = nio.AsyncClient(os.environ["HOMESERVER"], user, store_path=tempfile.mkdtemp(), config=config)
        self.nio.add_event_callback(self.on_event, nio.Event)
        self.nio.add_event_callback(self.on_bad_event, (nio.BadEvent, nio.UnknownBadEvent))
        self.nio.add_response_callback(self.on_sync, nio.SyncResponse)
        self.nio.add_response_callback(self.on_sync_error, nio.SyncError)
        self.nio.add_response_callback(self.on_keys, nio.KeysQueryResponse)

    async def logged_in(self):
        self.tasks.append(asyncio.ensure_future(self.nio.sync_forever(timeout=SYNC_TIMEOUT, full_state=True)))
        return {"user_id": self.nio.user_id, "device_id": self.nio.device_id}

    # What comes from the server.

    async def on_event(self, room, event):
        timeline = self.timelines.setdefault(room.room_id, [])
        if isinstance(event, nio.RedactionEvent):
            for item in timeline:
                if item["event_id"] == event.redacts:
                    item.update(body=None, redacted_by=event.sender)
        timeline.append(self.item(event))
        if isinstance(event, nio.MegolmEvent):
            self.undecrypted[event.event_id] = (room.room_id, event)

    async def on_bad_event(self, room, event):
        item = {"event_id": event.event_id, "sender": event.sender, "type": event.type, "bad": True}
        self.timelines.setdefault(room.room_id, []).append(item)

    @staticmethod
    def item(event):
        item = {"event_id": event.event_id, "sender": event.sender, "type": event.source.get("type")}
        if isinstance(event, nio.RedactedEvent):
            item["redacted_by"] = event.redacter
        if isinstance(event, nio.RoomMessageText):
            item.update(body=event.body, decrypted=event.decrypted)
        if isinstance(event, nio.RoomMemberEvent):
            item.update(state_key=event.state_key, membership=event.membership)
        if isinstance(event, nio.RedactionEvent):
            item["redacts"] = event.redacts
        return item

    async def on_sync(self, response):
        self.sync_error = None
        self.left.update(response.rooms.leave)
        self.left.difference_update(response.rooms.join)
        # A key may arrive after the event that it decrypts.
        for event_id, (room_id, event) in list(self.undecrypted.items()):
            try:
                decrypted = self.nio.decrypt_event(event)
            except nio.EncryptionError:
                continue
            del self.undecrypted[event_id]
            for item in self.timelines[room_id]:
                if item["event_id"] == event_id and "redacted_by" not in item:
                    item.update(self.item(decrypted))
        await self.changes()

    async def on_sync_error(self, response):
        self.sync_error = str(response)
        await self.changes()
        await asyncio.sleep(1)  # nio itself would try again at once

    async def on_keys(self, _):
        await self.changes()

    async def changes(self):
        async with self.changed:
            self.version += 1
            self.changed.notify_all()

    # Commands.

    async def do_register(self, user, password):
        self.open(user)
        await self.expect(self.nio.register(user, password, "real client"))
        return await self.logged_in()

    async def do_login(self, user, password):
        self.open(user)
        await self.expect(self.nio.login(password, "real client"))
        return await self.logged_in()

    async def do_create(self, version, public, encrypted=False, name=None):
        state = []
        if encrypted:
            state.append({"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}})
        preset = nio.RoomPreset.public_chat if public else nio.RoomPreset.private_chat
        made = await self.expect(self.nio.room_create(room_version=version, preset=preset, name=name, initial_state=state))
        return made.room_id

    async def do_join(self, room):
        return (await self.expect(self.nio.join(room))).room_id

    async def do_leave(self, room):
        await self.expect(self.nio.room_leave(room))

    async def do_invite(self, room, user):
        await self.expect(self.nio.room_invite(room, user))

    async def do_kick(self, room, user):
        await self.expect(self.nio.room_kick(room, user))

    async def do_say(self, room, text):
        content = {"msgtype": "m.text", "body": text}
        sent = await self.expect(self.nio.room_send(room, "m.room.message", content, ignore_unverified_devices=True))
        return sent.event_id

    async def do_redact(self, room, event):
        return (await self.expect(self.nio.room_redact(room, event))).event_id

    async def do_set_name(self, name):
        await self.expect(self.nio.set_displayname(name))

    async def do_model(self, after=-1):
        """Returns the model once it is newer than the version after."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.version > after)
        return {
            "version": self.version,
            "sync_error": self.sync_error,
            "rooms": {room_id: self.room(room) for room_id, room in self.nio.rooms.items()},
            "invites": {room_id: {"inviter": room.inviter} for room_id, room in self.nio.invited_rooms.items()},
            "left": sorted(self.left),
        }

    def room(self, room):
        return {
            "version": room.room_version,
            "creator": room.creator,
            "encrypted": room.encrypted,
            "members": {
                user_id: {
                    "name": room.user_name(user_id),
                    "invited": user.invited,
                    "power": user.power_level,
                    "devices": sorted(device.id for device in self.nio.device_store.active_user_devices(user_id)),
                }
                for user_id, user in room.users.items()
            },
            "powers": room.power_levels.users,
            "timeline": self.timelines.get(room.room_id, []),
        }

    @staticmethod
    async def expect(request):
        response = await request
        if isinstance(response, nio.ErrorResponse):
            raise Refused(str(response))
        return response

    async def close(self):
        for task in self.tasks:
            task.cancel()
        if self.nio is not None:
            await self.nio.close()


class Refused(Exception):
    pass


def write(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def answer(client, command):
    number, name = command.pop("id"), command.pop("do")
    try:
        result = await getattr(client, "do_" + name)(**command)
        write({"id": number, "result": result})
    except Refused as refused:
        write({"id": number, "error": str(refused)})
    except asyncio.CancelledError:
        raise
    except Exception as problem:  # of the client software: it did not do what it was told
        write({"id": number, "error": f"{type(problem).__name__}: {problem}"})


async def main():
    client = Client()
    commands = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    write({"software": "matrix-nio " + version("matrix-nio")})
    running = set()
    async for line in commands:
        task = asyncio.ensure_future(answer(client, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    for task in running:
        task.cancel()
    await client.close()


asyncio.run(main())
