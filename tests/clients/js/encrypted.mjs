// Two users of matrix-js-sdk with two devices each talk in an encrypted room (Rust crypto), and sign their devices.
//
// Usage: node encrypted.mjs '{"alice": URL, "bob": URL, "messages": N, "suffix": TEXT}'
//   alice, bob: base URLs of the client-server API, possibly of different server names and replicas.
//   messages: how many each of them sends, from both devices in turn.
// Prints one JSON line with what each device could read, in order; exits 1 when anything fails. The caller judges the order.
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import * as waiting from "./waiting.mjs";

logger.disableAll?.();
const plan = JSON.parse(process.argv[2]);
const deadline = (promise, what) => waiting.deadline(plan, promise, what);
const until = (condition, what) => waiting.until(plan, condition, what);

async function account(name, baseUrl) {
    const password = `correct horse ${name} battery`;
    const username = `${name}-encrypted-${plan.suffix}`;
    const auth = { type: "m.login.dummy" };
    const { user_id: userId } = await sdk.createClient({ baseUrl }).registerRequest({ username, password, auth, inhibit_login: true });
    return { userId, password, baseUrl };
}

// A device whose keys are there for others.
async function device({ userId, password, baseUrl }, name) {
    const identifier = { type: "m.id.user", user: userId };
    const wish = { type: "m.login.password", identifier, password, initial_device_display_name: name };
    const login = await sdk.createClient({ baseUrl }).loginRequest(wish);
    const client = sdk.createClient({ baseUrl, userId, accessToken: login.access_token, deviceId: login.device_id });
    await client.initRustCrypto({ useIndexedDB: false });
    const started = new Promise((resolve) => {
        client.on(sdk.ClientEvent.Sync, (state) => state === "PREPARED" && resolve());
    });
    // What is sent stands in the timeline where the server put it.
    await client.startClient({ initialSyncLimit: 500, pendingEventOrdering: sdk.PendingEventOrdering.Detached });
    await deadline(started, `the first sync of ${name}`);
    const published = async () => (await client.downloadKeysForUsers([userId])).device_keys[userId]?.[login.device_id];
    await until(published, `the keys of ${name}`);
    return { client, crypto: client.getCrypto(), deviceId: login.device_id, name };
}

// Answers what an endpoint asks of its user beside the request.
const confirmed = (who) => async (makeRequest) => {
    try {
        return await makeRequest(null);
    } catch (error) {
        if (error.httpStatus !== 401) throw error;
        const identifier = { type: "m.id.user", user: who.userId };
        return makeRequest({ type: "m.login.password", identifier, password: who.password, session: error.data.session });
    }
};

// The laptop signs the phone, which is there first and is told of the laptop.
async function person(name, baseUrl) {
    const who = await account(name, baseUrl);
    who.phone = await device(who, `${name}'s phone`);
    who.laptop = await device(who, `${name}'s laptop`);
    for (const [one, other] of [[who.laptop, who.phone], [who.phone, who.laptop]]) {
        const known = async () => (await one.crypto.getUserDeviceInfo([who.userId])).get(who.userId)?.has(other.deviceId);
        await until(known, `${one.name} to know ${other.name}`);
    }
    let asked = 0;
    const first = (makeRequest) => {
        asked += 1;
        return makeRequest(null);
    };
    await who.laptop.crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: first });
    if (asked !== 1) throw new Error("the first cross-signing keys were not uploaded");
    await who.laptop.crypto.crossSignDevice(who.phone.deviceId);
    return who;
}

function read({ client }, roomId) {
    const events = client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
    const readable = events.filter((event) => event.isEncrypted() && event.getType() === "m.room.message" && !event.isDecryptionFailure());
    return readable.map((event) => [event.getId(), event.getSender(), event.getContent().body]);
}

// From both devices in turn.
async function sendAll(who, roomId) {
    for (let n = 0; n < plan.messages; n++) {
        const { client } = n % 2 === 0 ? who.laptop : who.phone;
        await client.sendTextMessage(roomId, `${who.userId} ${n}`);
    }
}

// Whether someone can tell that a device was signed by its user.
async function sees(observer, who, deviceId) {
    return (await observer.crypto.getDeviceVerificationStatus(who.userId, deviceId))?.signedByOwner === true;
}

async function main() {
    const alice = await person("alice", plan.alice);
    const bob = await person("bob", plan.bob);
    const { room_id: roomId } = await alice.laptop.client.createRoom({
        preset: "private_chat",
        invite: [bob.userId],
        initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
    });
    await until(() => bob.laptop.client.getRoom(roomId)?.getMyMembership() === "invite", "the invite");
    await bob.laptop.client.joinRoom(roomId);
    const devices = [alice, bob].flatMap((who) => [who.laptop, who.phone]);
    for (const one of devices) {
        await until(() => one.client.getRoom(roomId)?.getJoinedMemberCount() === 2, `the join at ${one.name}`);
        await until(() => one.crypto.isEncryptionEnabledInRoom(roomId), `encryption at ${one.name}`);
    }
    await Promise.all([sendAll(alice, roomId), sendAll(bob, roomId)]);
    const total = 2 * plan.messages;
    for (const one of devices) {
        await until(() => read(one, roomId).length >= total, `${total} messages at ${one.name}`);
    }
    for (const [observer, who] of [[alice, bob], [bob, alice]]) {
        for (const signed of [who.laptop, who.phone]) {
            await until(() => sees(observer.laptop, who, signed.deviceId), `${who.userId}'s signature of ${signed.name}`);
        }
    }
    const before = await alice.laptop.crypto.getCrossSigningKeyId();
    await alice.laptop.crypto.bootstrapCrossSigning({ setupNewCrossSigning: true, authUploadDeviceSigningKeys: confirmed(alice) });
    const { master_keys: masters } = await bob.laptop.client.downloadKeysForUsers([alice.userId]);
    const after = Object.values(masters[alice.userId].keys)[0];
    if (after === before || after !== (await alice.laptop.crypto.getCrossSigningKeyId())) throw new Error("the keys were not replaced");
    await until(async () => !(await sees(bob.laptop, alice, alice.phone.deviceId)), "the phone to be unsigned by the new keys");
    const report = { received: Object.fromEntries(devices.map((one) => [one.name, read(one, roomId)])), senders: [alice.userId, bob.userId] };
    for (const one of devices) {
        one.client.stopClient();
        await one.client.logout(true);
    }
    const { device_keys: left } = await keysAfter(alice, bob);
    if (Object.keys(left[alice.userId] ?? {}).length !== 0) throw new Error("keys are left of devices that are gone");
    // A pipe takes 64 KiB at once: ending before it took the rest would lose that.
    await new Promise((written) => process.stdout.write(`${JSON.stringify(report)}\n`, written));
}

// What a new device of Bob's is told of Alice.
async function keysAfter(alice, bob) {
    const identifier = { type: "m.id.user", user: bob.userId };
    const { baseUrl } = bob;
    const login = await sdk.createClient({ baseUrl }).loginRequest({ type: "m.login.password", identifier, password: bob.password });
    const client = sdk.createClient({ baseUrl, userId: bob.userId, accessToken: login.access_token, deviceId: login.device_id });
    return client.downloadKeysForUsers([alice.userId]);
}

main().then(
    () => process.exit(0),
    (error) => {
        console.error(error);
        process.exit(1);
    },
);
