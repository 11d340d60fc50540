// One user of matrix-js-sdk signs in by the OAuth 2.0 API: discovery, registration of the app, the code flow, refresh and revocation; then
// a second session by the device grant. The person in front of the browser is played here: an account is made, forms are sent as they
// stand on pages without scripts.
//
// Usage: node oauth.mjs '{"base_url": URL, "suffix": TEXT}'
// Prints one JSON line with what happened; exits 1 when anything fails.
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import * as waiting from "./waiting.mjs";

logger.disableAll?.();
const plan = JSON.parse(process.argv[2]);
const deadline = (promise, what) => waiting.deadline(plan, promise, what);
const REDIRECT = "http://127.0.0.1:17777/callback";
const cookies = new Map();

// What a browser that follows no redirect is answered.
async function browse(path, fields) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const body = fields && new URLSearchParams(fields);
    const options = { method: fields ? "POST" : "GET", headers: { Cookie: cookie }, body, redirect: "manual" };
    const response = await deadline(fetch(new URL(path, plan.base_url), options), path);
    for (const set of response.headers.getSetCookie()) {
        const [name, value] = set.split(";")[0].split("=");
        cookies.set(name, value);
    }
    return { status: response.status, location: response.headers.get("location"), html: await response.text() };
}

// Sends the form of an id with its hidden fields and what was typed.
async function submit(page, id, typed) {
    const form = page.html.split("<form ").find((form) => form.split(">")[0].includes(`id="${id}"`));
    if (!form) throw new Error(`no form ${id} (${page.status}): ${page.html}`);
    const text = (html) => html.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    const fields = {};
    for (const [, name, value] of form.split("</form>")[0].matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)) {
        fields[name] = text(value);
    }
    return browse(text(/action="([^"]*)"/.exec(form)[1]), { ...fields, ...typed });
}

function session(tokens) {
    return sdk.createClient({ baseUrl: plan.base_url, accessToken: tokens.access_token });
}

async function refused(promise) {
    try {
        await promise;
        return false;
    } catch (error) {
        return error.httpStatus ?? error.message;
    }
}

async function main() {
    const anonymous = sdk.createClient({ baseUrl: plan.base_url });
    const metadata = await deadline(anonymous.getAuthMetadata(), "the metadata");
    const clientId = await sdk.OAuth2.registerClient(metadata, {
        client_name: "A test",
        client_uri: "https://example.com/",
        application_type: "native",
        redirect_uris: ["http://127.0.0.1/callback"],
    });

    // The app opens the browser, where an account is made and the app is let in.
    const auth = new sdk.OAuth2(metadata, { clientId });
    const username = `oauth-${plan.suffix}`;
    const opened = await browse(await auth.generateAuthorizationCodeGrantUrl("the state", REDIRECT, "fragment", "create"));
    const create = await browse(opened.location);
    const created = await submit(create, "create-form", { username, password: "correct horse battery" });
    const consent = await browse(created.location);
    const allowed = await submit(consent, "consent-form", { decision: "allow" });
    if (!allowed.location?.startsWith(`${REDIRECT}#`)) throw new Error(`sent to ${allowed.location}`);
    const answer = new URLSearchParams(new URL(allowed.location).hash.slice(1));
    if (answer.get("state") !== "the state") throw new Error("another state");
    const first = await auth.completeAuthorizationCodeGrant(answer.get("code"), REDIRECT);
    const me = await session(first).whoami();
    const replayed = await refused(auth.completeAuthorizationCodeGrant(answer.get("code"), REDIRECT));

    // A code that is shown twice ends its session, so the app is let in again: the person is signed in still.
    const ended = await refused(session(first).whoami());
    const again = await browse(await auth.generateAuthorizationCodeGrantUrl("two", REDIRECT, "query"));
    const second = await submit(again, "consent-form", { decision: "allow" });
    const tokens = await auth.completeAuthorizationCodeGrant(new URL(second.location).searchParams.get("code"), REDIRECT);

    // The old refresh token works until the new access token is used, and not after.
    const lost = await auth.performRefreshTokenGrant(tokens.refresh_token);
    const fresh = await auth.performRefreshTokenGrant(tokens.refresh_token);
    const device = (await session(fresh).whoami()).device_id;
    const old = await refused(auth.performRefreshTokenGrant(tokens.refresh_token));
    const unused = await refused(session(lost).whoami());

    // A device without a browser, let in from this one.
    const television = new sdk.OAuth2(metadata, { clientId, deviceId: "TELEVISION" });
    const codes = await television.startDeviceAuthorizationGrant();
    const link = await browse(codes.verification_uri_complete);
    await submit(link, "device-form", { decision: "allow" });
    const waited = await deadline(television.waitForDeviceAuthorizationGrant(codes), "the device");
    const second_device = (await session(waited).whoami()).device_id;

    // It is signed out on the account pages; the app signs itself out.
    const page = await browse(`${metadata.account_management_uri}?action=org.matrix.device_delete&device_id=TELEVISION`);
    await submit(page, "device-form", {});
    const signed_out = await refused(session(waited).whoami());
    await auth.revokeToken(fresh.refresh_token, "refresh_token");
    const revoked = await refused(session(fresh).whoami());

    const devices = { first: me.device_id, again: device, chosen: auth.context.deviceId, second: second_device };
    console.log(JSON.stringify({ user_id: me.user_id, devices, replayed, ended, old, unused, signed_out, revoked }));
}

await main();
process.exit(0);
