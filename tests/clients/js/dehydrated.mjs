// Alice leaves a dehydrated device behind (MSC3814) and logs out everywhere; Bob talks in an encrypted room; a new device of Alice's
// restores the dehydrated one and reads what Bob said meanwhile.
//
// Usage: node dehydrated.mjs '{"alice": URL, "bob": URL, "messages": N, "suffix": TEXT}'
//   alice, bob: base URLs of the client-server API, possibly of different server names and replicas.
//   messages: how many Bob sends.
// Prints one JSON line with what the new device could read, in order; exits 1 when anything fails.
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import * as waiting from "./waiting.mjs";

logger.disableAll?.();
const plan = JSON.parse(process.argv[2]);
const deadline = (promise, what) => waiting.deadline(plan, promise, what);
const until = (condition, what) => waiting.until(plan, condition, what);

async function account(name, baseUrl) {
    const password = `correct horse ${name} battery`;
    const username = `${name}-dehydrated-${plan.suffix}`;
    const auth = { type: "m.login.dummy" };
    const { user_id: userId } = await sdk.createClient({ baseUrl }).registerRequest({ username, password, auth, inhibit_login: true });
    return { userId, password, baseUrl };
}

async function device(who, name) {
    const { userId, password, baseUrl } = who;
    const identifier = { type: "m.id.user", user: userId };
    const wish = { type: "m.login.password", identifier, password, initial_device_display_name: name };
    const login = await sdk.createClient({ baseUrl }).loginRequest(wish);
    const cryptoCallbacks = {
        getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], who.secret],
    };
    const options = { baseUrl, userId, accessToken: login.access_token, deviceId: login.device_id, cryptoCallbacks };
    const client = sdk.createClient(options);
    await client.initRustCrypto({ useIndexedDB: false });
    const started = new Promise((resolve) => {
        client.on(sdk.ClientEvent.Sync, (state) => state === "PREPARED" && resolve());
    });
    await client.startClient({ initialSyncLimit: 500, pendingEventOrdering: sdk.PendingEventOrdering.Detached });
    await deadline(started, `the first sync of ${name}`);
    const published = async () => (await client.downloadKeysForUsers([userId])).device_keys[userId]?.[login.device_id];
    await until(published, `the keys of ${name}`);
    return { client, crypto: client.getCrypto(), deviceId: login.device_id };
}

// The ids of a user's dehydrated devices, as somebody knows them.
async function dehydrated(observer, userId) {
    const devices = (await observer.crypto.getUserDeviceInfo([userId])).get(userId) ?? new Map();
    return [...devices.values()].filter((device) => device.dehydrated).map((device) => device.deviceId);
}

function read({ client }, roomId, sender) {
    const events = client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
    const readable = events.filter((event) => event.isEncrypted() && event.getSender() === sender && !event.isDecryptionFailure());
    return readable.filter((event) => event.getType() === "m.room.message").map((event) => event.getContent().body);
}

async function main() {
    const alice = await account("alice", plan.alice);
    const bob = await account("bob", plan.bob);
    const phone = await device(alice, "Alice's phone");
    const laptop = await device(bob, "Bob's laptop");
    await phone.crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (makeRequest) => makeRequest(null) });
    const key = await phone.crypto.createRecoveryKeyFromPassphrase();
    alice.secret = key.privateKey;
    await phone.crypto.bootstrapSecretStorage({ setupNewSecretStorage: true, createSecretStorageKey: async () => key });
    if (!(await phone.crypto.isDehydrationSupported())) throw new Error("there are no dehydrated devices");
    await phone.crypto.startDehydration();
    const { room_id: roomId } = await phone.client.createRoom({
        preset: "private_chat",
        invite: [bob.userId],
        initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
    });
    await until(() => laptop.client.getRoom(roomId)?.getMyMembership() === "invite", "the invite");
    await laptop.client.joinRoom(roomId);
    await until(() => laptop.crypto.isEncryptionEnabledInRoom(roomId), "encryption");
    await until(async () => (await dehydrated(laptop, alice.userId)).length === 1, "the dehydrated device");
    // Another one takes its place, and Bob is told.
    const [before] = await dehydrated(laptop, alice.userId);
    await phone.crypto.startDehydration({ rehydrate: false });
    await until(async () => (await dehydrated(laptop, alice.userId)).every((id) => id !== before), "the second dehydrated device");
    phone.client.stopClient();
    await phone.client.logout(true);
    await until(async () => !(await laptop.crypto.getUserDeviceInfo([alice.userId])).get(alice.userId)?.has(phone.deviceId), "the logout");
    const texts = Array.from({ length: plan.messages }, (_, n) => `meanwhile ${n}`);
    for (const text of texts) {
        await laptop.client.sendTextMessage(roomId, text);
    }
    const tablet = await device(alice, "Alice's tablet");
    await tablet.crypto.bootstrapCrossSigning({});
    await tablet.crypto.startDehydration();
    await until(() => read(tablet, roomId, bob.userId).length >= texts.length, "what Bob said");
    const report = { read: read(tablet, roomId, bob.userId), said: texts };
    await new Promise((written) => process.stdout.write(`${JSON.stringify(report)}\n`, written));
}

main().then(
    () => process.exit(0),
    (error) => {
        console.error(error);
        process.exit(1);
    },
);
