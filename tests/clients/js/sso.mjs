// People of an upstream OpenID Connect provider (oidc-provider, run here) sign in: to a client of the legacy API by a login token, and
// again into the same account; one whose name is taken chooses another.
//
// Usage: node sso.mjs '{"base_url": URL, "provider_port": NUMBER}'
// Prints one JSON line with what happened; exits 1 when anything fails.
import * as http from "node:http";
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import { Provider } from "oidc-provider";
import * as waiting from "./waiting.mjs";

logger.disableAll?.();
const plan = JSON.parse(process.argv[2]);
const deadline = (promise, what) => waiting.deadline(plan, promise, what);
const APP = "http://127.0.0.1:17778/app";

// A provider whose users are called what they type, without the part behind a dash: so two of them have one name.
function startProvider() {
    const issuer = `http://127.0.0.1:${plan.provider_port}`;
    const callback = `${plan.base_url}/oauth2/sso/callback/corp`;
    const provider = new Provider(issuer, {
        clients: [{ client_id: "banyan", client_secret: "the secret of the test", redirect_uris: [callback], grant_types: ["authorization_code"] }],
        claims: { openid: ["sub"], profile: ["preferred_username"] },
        findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id.split("-")[0] }) }),
        pkce: { required: () => true },
    });
    const server = http.createServer(provider.callback());
    return new Promise((resolve) => server.listen(plan.provider_port, "127.0.0.1", () => resolve(server)));
}

// A browser of its own: cookies by host and name, redirects followed by hand.
class Browser {
    cookies = new Map();

    async open(url, fields) {
        const host = new URL(url).host;
        const mine = [...this.cookies].filter(([key]) => key.startsWith(`${host} `));
        const headers = { Cookie: mine.map(([key, value]) => `${key.split(" ")[1]}=${value}`).join("; ") };
        const body = fields && new URLSearchParams(fields);
        const response = await deadline(fetch(url, { method: fields ? "POST" : "GET", headers, body, redirect: "manual" }), url);
        for (const set of response.headers.getSetCookie()) {
            const [name, ...value] = set.split(";")[0].split("=");
            this.cookies.set(`${host} ${name}`, value.join("="));
        }
        const location = response.headers.get("location");
        return { url, status: response.status, location: location && new URL(location, url).href, html: await response.text() };
    }

    // Follows redirects until a page is shown, or until the app is reached.
    async follow(url, fields) {
        let page = await this.open(url, fields);
        while (page.location && !page.location.startsWith(APP)) page = await this.open(page.location);
        return page;
    }

    // Sends the form that a page has (of an id, where it has several).
    async submit(page, id, typed) {
        const form = page.html.split("<form ").slice(1).find((form) => !id || form.split(">")[0].includes(`id="${id}"`));
        if (!form) throw new Error(`no form ${id} at ${page.url} (${page.status}): ${page.html}`);
        const fields = {};
        for (const [input] of form.split("</form>")[0].matchAll(/<input [^>]*type="hidden"[^>]*>/g)) {
            fields[/name="([^"]*)"/.exec(input)[1]] = /value="([^"]*)"/.exec(input)[1].replaceAll("&amp;", "&");
        }
        const action = /action="([^"]*)"/.exec(form)[1].replaceAll("&amp;", "&");
        return this.follow(new URL(action, page.url), { ...fields, ...typed });
    }
}

// Goes through the provider as somebody, up to the first page of ours.
async function signIn(browser, login) {
    const redirect = `${plan.base_url}/_matrix/client/v3/login/sso/redirect/corp?redirectUrl=${encodeURIComponent(APP)}`;
    const form = await browser.follow(redirect);
    const consent = await browser.submit(form, null, { prompt: "login", login, password: "any" });
    return consent.url.startsWith(plan.base_url) ? consent : browser.submit(consent, null, { prompt: "consent" });
}

// Says yes to the app, which logs in with the token that it gets.
async function logIn(browser, page) {
    const back = await browser.submit(page, "continue-form", {});
    const token = new URL(back.location).searchParams.get("loginToken");
    const client = sdk.createClient({ baseUrl: plan.base_url });
    return client.loginRequest({ type: "m.login.token", token });
}

const server = await startProvider();
const { flows } = await sdk.createClient({ baseUrl: plan.base_url }).loginFlows();
const offered = flows.find((flow) => flow.type === "m.login.sso");

const first = await logIn(...(await (async (browser) => [browser, await signIn(browser, "Carol-one")])(new Browser())));
const again = await logIn(...(await (async (browser) => [browser, await signIn(browser, "Carol-one")])(new Browser())));

// Another person of the same name.
const browser = new Browser();
const choose = await signIn(browser, "Carol-two");
const taken = await browser.submit(choose, "name-form", { username: "carol" });
const chosen = await browser.submit(taken, "name-form", { username: "caroline" });
const other = await logIn(browser, chosen);

// A code that was used, in a browser that did not set out.
const stranger = await new Browser().open(`${plan.base_url}/oauth2/sso/callback/corp?state=x&code=y`);

// Answers that the provider did not give, or not to this: each way is gone once.
async function answered(path, more) {
    const browser = new Browser();
    const redirect = `${plan.base_url}/_matrix/client/v3/login/sso/redirect/corp?redirectUrl=${encodeURIComponent(APP)}`;
    const ours = await browser.open((await browser.open(redirect)).location);
    const state = new URL(ours.location).searchParams.get("state");
    const answer = `${plan.base_url}/oauth2/sso/callback/${path}?${new URLSearchParams({ state, ...more })}`;
    const page = await browser.open(answer);
    return { status: page.status, again: (await browser.open(answer)).status, goesOn: page.html.includes(encodeURIComponent(encodeURIComponent(APP))) };
}
const wrong = {
    mixed: await answered("other", { code: "x" }),
    issuer: await answered("corp", { code: "x", iss: "https://evil.test" }),
    refused: await answered("corp", { error: "access_denied" }),
    code: await answered("corp", { code: "made-up" }),
};
server.close();
const users = { first: first.user_id, again: again.user_id, other: other.user_id };
console.log(JSON.stringify({ provider: offered.identity_providers[0].id, users, taken: taken.status, stranger: stranger.status, wrong }));
process.exit(0);
