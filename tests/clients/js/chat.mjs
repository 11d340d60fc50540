// Two users of matrix-js-sdk register, make a room, invite, join and exchange messages through /sync or sliding sync.
//
// Usage: node chat.mjs '{"alice": URL, "bob": URL, "messages": N, "suffix": TEXT, "sliding": BOOLEAN}'
//   alice, bob: base URLs of the client-server API, possibly of different server names and replicas.
//   messages: how many each of them sends.
//   sliding: through sliding sync (MSC4186).
// Beside the messages, Bob sets account data and says how far he has read, and Alice sends his device a message. Prints one JSON line with
// what each of them received, in order; exits 1 when anything fails. The caller judges the order.
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import { SlidingSync } from "matrix-js-sdk/lib/sliding-sync.js";
import * as waiting from "./waiting.mjs";

logger.disableAll?.();
const plan = JSON.parse(process.argv[2]);
const deadline = (promise, what) => waiting.deadline(plan, promise, what);
const until = (condition, what) => waiting.until(plan, condition, what);

// One list of all rooms, as the SDK asks for it.
function slidingSync(client, baseUrl) {
    const state = [["m.room.create", ""], ["m.room.name", ""], ["m.room.power_levels", ""], ["m.room.member", "$ME"], ["m.room.member", "$LAZY"]];
    const list = { ranges: [[0, 99]], timeline_limit: 500, required_state: state, filters: {} };
    return new SlidingSync(baseUrl, new Map([["all", list]]), { timeline_limit: 500, required_state: state }, client, 30_000);
}

// Registers, then logs in with the password: both ways of getting a token are used.
async function person(name, baseUrl) {
    const password = `correct horse ${name} battery`;
    const anonymous = sdk.createClient({ baseUrl });
    const registered = await anonymous.registerRequest({
        username: `${name}-${plan.suffix}`,
        password,
        auth: { type: "m.login.dummy" },
        inhibit_login: true,
    });
    const login = await anonymous.loginRequest({
        type: "m.login.password",
        identifier: { type: "m.id.user", user: registered.user_id },
        password,
        initial_device_display_name: "chat test",
    });
    const client = sdk.createClient({
        baseUrl,
        accessToken: login.access_token,
        userId: login.user_id,
        deviceId: login.device_id,
    });
    // Each event as the server delivered it, once per delivery: a doubled one would stand here twice.
    const received = [];
    client.on(sdk.ClientEvent.Event, (event) => {
        if (event.getType() === "m.room.message") received.push([event.getId(), event.getSender(), event.getContent().body]);
    });
    const toDevice = [];
    client.on(sdk.ClientEvent.ToDeviceEvent, (event) => toDevice.push([event.getSender(), event.getType(), event.getContent()]));
    const started = new Promise((resolve) => {
        client.on(sdk.ClientEvent.Sync, (state) => state === "PREPARED" && resolve());
    });
    const sliding = plan.sliding ? { slidingSync: slidingSync(client, baseUrl) } : {};
    // Who has to see everything through /sync alone says how much a response may hold: a server's own limit is small.
    const filter = sdk.Filter.fromJson(login.user_id, "", { room: { timeline: { limit: 500 } } });
    await client.startClient({ filter, initialSyncLimit: 500, lazyLoadMembers: false, ...sliding });
    await deadline(started, `${name}'s first sync`);
    return { client, received, toDevice, userId: login.user_id, deviceId: login.device_id };
}

async function sendAll(who, roomId) {
    for (let n = 0; n < plan.messages; n++) {
        await who.client.sendTextMessage(roomId, `${who.userId} ${n}`);
    }
}

// Account data that are set are there once the sync tells them; a message to a device comes once.
async function aside(alice, bob) {
    await deadline(bob.client.setAccountData("test.banyan.mood", { mood: "curious" }), "the account data");
    if (bob.client.getAccountData("test.banyan.mood")?.getContent().mood !== "curious") throw new Error("other account data");
    const content = { to: bob.userId };
    await alice.client.sendToDevice("test.banyan.hint", new Map([[bob.userId, new Map([[bob.deviceId, content]])]]));
    await until(() => bob.toDevice.length > 0, "the message to Bob's device");
}

// Alice sees how far Bob has read.
async function receipt(alice, bob, roomId) {
    const last = bob.client.getRoom(roomId).findEventById(bob.received.at(-1)[0]);
    await bob.client.sendReadReceipt(last);
    const seen = () => alice.client.getRoom(roomId).getEventReadUpTo(bob.userId, true);
    await until(() => seen() === last.getId(), "Bob's receipt");
}

async function main() {
    const alice = await person("alice", plan.alice);
    const bob = await person("bob", plan.bob);
    const { room_id: roomId } = await alice.client.createRoom({
        preset: "private_chat",
        name: "Two people",
        invite: [bob.userId],
    });
    await until(() => bob.client.getRoom(roomId)?.getMyMembership() === "invite", "the invite");
    await bob.client.joinRoom(roomId);
    await until(() => alice.client.getRoom(roomId)?.getJoinedMemberCount() === 2, "the join");
    await Promise.all([sendAll(alice, roomId), sendAll(bob, roomId), aside(alice, bob)]);
    const total = 2 * plan.messages;
    await until(() => alice.received.length >= total && bob.received.length >= total, `${total} messages each`);
    await receipt(alice, bob, roomId);
    const hint = JSON.stringify([[alice.userId, "test.banyan.hint", { to: bob.userId }]]);
    if (JSON.stringify(bob.toDevice) !== hint) throw new Error(`to Bob's device: ${JSON.stringify(bob.toDevice)}`);
    const report = {
        room: roomId,
        name: bob.client.getRoom(roomId).name,
        joined: Object.fromEntries([alice, bob].map((who) => [who.userId, who.client.getRoom(roomId).getJoinedMemberCount()])),
        received: { [alice.userId]: alice.received, [bob.userId]: bob.received },
    };
    for (const who of [alice, bob]) {
        who.client.stopClient();
        await who.client.logout(true);
    }
    // A pipe takes 64 KiB at once: ending before it took the rest would lose that.
    await new Promise((written) => process.stdout.write(`${JSON.stringify(report)}\n`, written));
}

main().then(
    () => process.exit(0),
    (error) => {
        console.error(error);
        process.exit(1);
    },
);
