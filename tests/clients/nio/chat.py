"""Two users of matrix-nio register, make a room, invite, join and exchange messages through /sync.

Usage: chat.py '{"alice": URL, "bob": URL, "messages": N, "suffix": TEXT}', as chat.mjs beside it.
Prints one JSON line with what each of them received, in order; exits 1 when anything fails. The caller judges the order.
"""

import asyncio
import json
import sys

from nio import (
    AsyncClient,
    AsyncClientConfig,
    InviteMemberEvent,
    JoinResponse,
    LoginResponse,
    RegisterResponse,
    RoomCreateResponse,
    RoomMessageText,
    RoomSendResponse,
    SyncResponse,
)

PLAN = json.loads(sys.argv[1])
PATIENCE = PLAN.get("patience_ms", 120_000) / 1000
FILTER = {"room": {"timeline": {"limit": 500}}}


def expect(answer, kind):
    if not isinstance(answer, kind):
        raise RuntimeError(f"expected {kind.__name__}, got {answer}")
    return answer


class Person:
    """A user, its client and what it received."""

    def __init__(self, client):
        self.client = client
        self.received = []
        self.invites = set()
        self.task = None
        client.add_event_callback(self.on_message, RoomMessageText)
        client.add_event_callback(self.on_invite, InviteMemberEvent)

    async def on_message(self, _room, event):
        self.received.append([event.event_id, event.sender, event.body])

    async def on_invite(self, room, event):
        if event.state_key == self.client.user_id:
            self.invites.add(room.room_id)

    @classmethod
    async def start(cls, name, url):
        config = AsyncClientConfig(encryption_enabled=False, max_limit_exceeded=0, max_timeouts=0)
        user = f"{name}-{PLAN['suffix']}"
        password = f"correct horse {name} battery"
        anonymous = AsyncClient(url, user, config=config)
        registered = expect(await anonymous.register(user, password), RegisterResponse)
        await anonymous.close()
        client = AsyncClient(url, registered.user_id, config=config)
        expect(await client.login(password, device_name="chat test"), LoginResponse)
        person = cls(client)
        expect(await client.sync(timeout=0, sync_filter=FILTER, full_state=True), SyncResponse)
        person.task = asyncio.create_task(client.sync_forever(timeout=10_000, sync_filter=FILTER))
        return person

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.client.logout()
        await self.client.close()


async def until(condition, what, people):
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while not condition():
        for person in people:
            if person.task.done():
                raise RuntimeError(f"sync ended early: {person.task}")
        if loop.time() > end:
            raise RuntimeError(f"gave up waiting for {what}")
        await asyncio.sleep(0.02)


async def send_all(person, room_id):
    for n in range(PLAN["messages"]):
        content = {"msgtype": "m.text", "body": f"{person.client.user_id} {n}"}
        expect(await person.client.room_send(room_id, "m.room.message", content), RoomSendResponse)


def joined(person, room_id):
    room = person.client.rooms.get(room_id)
    return 0 if room is None else room.joined_count


async def main():
    alice = await Person.start("nalice", PLAN["alice"])
    bob = await Person.start("nbob", PLAN["bob"])
    people = [alice, bob]
    created = await alice.client.room_create(name="Two people", invite=[bob.client.user_id])
    room_id = expect(created, RoomCreateResponse).room_id
    await until(lambda: room_id in bob.invites, "the invite", people)
    expect(await bob.client.join(room_id), JoinResponse)
    await until(lambda: joined(alice, room_id) == 2, "the join", people)
    await asyncio.gather(*(send_all(person, room_id) for person in people))
    total = 2 * PLAN["messages"]
    await until(lambda: all(len(person.received) >= total for person in people), f"{total} messages each", people)
    report = {
        "room": room_id,
        "name": bob.client.rooms[room_id].name,
        "joined": {person.client.user_id: joined(person, room_id) for person in people},
        "received": {person.client.user_id: person.received for person in people},
    }
    for person in people:
        await person.stop()
    print(json.dumps(report))


asyncio.run(main())
