// Two users of matrix-js-sdk register, make a room, invite, join and exchange messages through /sync.
//
// Usage: node chat.mjs '{"alice": URL, "bob": URL, "messages": N, "suffix": TEXT}'
//   alice, bob: base URLs of the client-server API, possibly of different server names and replicas.
//   messages: how many each of them sends.
// Prints one JSON line with what each of them received, in order; exits 1 when anything fails. The caller judges the order.
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";

logger.disableAll?.();
const plan = JSON.parse(process.argv[2]);
const patience = plan.patience_ms ?? 120_000;

function deadline(promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`gave up waiting for ${what}`)), patience);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
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
    const started = new Promise((resolve) => {
        client.on(sdk.ClientEvent.Sync, (state) => state === "PREPARED" && resolve());
    });
    await client.startClient({ initialSyncLimit: 500, lazyLoadMembers: false });
    await deadline(started, `${name}'s first sync`);
    return { client, received, userId: login.user_id };
}

async function until(condition, what) {
    const end = Date.now() + patience;
    while (!condition()) {
        if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

async function sendAll(who, roomId) {
    for (let n = 0; n < plan.messages; n++) {
        await who.client.sendTextMessage(roomId, `${who.userId} ${n}`);
    }
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
    await Promise.all([sendAll(alice, roomId), sendAll(bob, roomId)]);
    const total = 2 * plan.messages;
    await until(() => alice.received.length >= total && bob.received.length >= total, `${total} messages each`);
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
