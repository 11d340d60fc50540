//! What is secret stays out of the logs and the traces, also while they tell everything else.

use banyan_testkit::smtp::{MailServer, Manner};
use banyan_tests::{Common, Node, otlp::Collector};
use reqwest::Method;
use serde_json::{Value, json};

const V3: &str = "/_matrix/client/v3";
const MAIL: &str = "alice@mail.test";

/// A homeserver, and the secrets that went through it.
struct Witness {
    node: Node,
    mails: MailServer,
    secrets: Vec<String>,
}

impl Witness {
    /// Posts and answers what comes, whatever the status.
    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Value {
        let answer = self.node.homeserver().request(Method::POST, &format!("{V3}/{path}"), token, Some(&body)).await;
        answer.unwrap_or_else(|error| match error {
            banyan_tests::ClientError::Server { body, .. } => body,
            error => panic!("{error}"),
        })
    }

    fn keep(&mut self, secret: &str) -> String {
        assert!(secret.len() > 8, "too short to be looked for: {secret}");
        self.secrets.push(secret.to_owned());
        secret.to_owned()
    }

    fn keep_tokens(&mut self, session: &Value) -> String {
        self.keep(session["refresh_token"].as_str().unwrap_or_else(|| panic!("{session}")));
        self.keep(session["access_token"].as_str().unwrap())
    }

    /// Asks for a mail, opens its link and presses its button: what proves the address.
    async fn prove(&mut self, path: &str, client_secret: &str) -> Value {
        let n = self.mails.mails().len();
        let client_secret = self.keep(client_secret);
        let wish = json!({"client_secret": client_secret, "email": MAIL, "send_attempt": 1});
        let asked = self.post(&format!("{path}/email/requestToken"), None, wish).await;
        let sid = asked["sid"].as_str().unwrap_or_else(|| panic!("{asked}")).to_owned();
        let text = self.mails.mail(n).await.parts().remove(0);
        let link = text.lines().find(|line| line.starts_with("http://")).unwrap().to_owned();
        let token = link.split_once("token=").unwrap().1.to_owned();
        self.keep(&token);
        let client = reqwest::Client::new();
        let (page, query) = link.split_once('?').unwrap();
        assert_eq!(client.get(&link).send().await.unwrap().status().as_u16(), 200);
        let form = client.post(page).header("content-type", "application/x-www-form-urlencoded").body(query.to_owned());
        assert!(form.send().await.unwrap().text().await.unwrap().contains("this is confirmed"));
        json!({"type": "m.login.email.identity", "threepid_creds": {"sid": sid, "client_secret": client_secret}})
    }
}

/// Registers with an address, logs in, fails to, refreshes, sets a password that was forgotten.
async fn live(witness: &mut Witness) {
    let first = witness.keep("first password of alice");
    let proof = witness.prove("register", "secret-of-register").await;
    let body = json!({"username": "alice", "password": first, "auth": proof, "refresh_token": true});
    let session = witness.post("register", None, body).await;
    witness.keep_tokens(&session);
    let identifier = json!({"type": "m.id.thirdparty", "medium": "email", "address": MAIL});
    let login =
        |password: &str| json!({"type": "m.login.password", "identifier": identifier, "password": password, "refresh_token": true});
    let session = witness.post("login", None, login(&first)).await;
    let token = witness.keep_tokens(&session);
    let wrong = witness.keep("wrong password of alice");
    assert_eq!(witness.post("login", None, login(&wrong)).await["errcode"], "M_FORBIDDEN");
    let refreshed = witness.post("refresh", None, json!({"refresh_token": session["refresh_token"]})).await;
    witness.keep_tokens(&refreshed);
    let query = format!("{V3}/account/whoami?access_token={token}");
    witness.node.homeserver().request(Method::GET, &query, None, None).await.unwrap();
    let made_up = witness.keep("made_up_access_token");
    assert_eq!(witness.post("logout", Some(&made_up), json!({})).await["errcode"], "M_UNKNOWN_TOKEN");

    let proof = witness.prove("account/password", "secret-of-reset").await;
    let second = witness.keep("second password of alice");
    let reset = witness.post("account/password", None, json!({"new_password": second, "auth": proof})).await;
    assert_eq!(reset, json!({}));
    assert_eq!(witness.post("login", None, login(&first)).await["errcode"], "M_FORBIDDEN");
    let session = witness.post("login", None, login(&second)).await;
    witness.keep_tokens(&session);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_traces_tell_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mails = MailServer::start(Manner::Kind, None, false).await.unwrap();
    let collector = Collector::start().await;
    let telemetry = format!("[telemetry]\nlog_filter = \"debug\"\n\n{}", collector.config());
    let mut common = Common::embedded(&dir.path().join("data")).cheap_passwords().with(&telemetry);
    let port = mails.address().port();
    common.0.push_str(&format!(
        "\n[[tenants]]\nserver_name = \"one.test\"\nhosts = [\"*\"]\nbase_url = \"http://BASE\"\nregistration = {{ open = true }}\n\
         rate_limits = {{ enabled = false }}\n[tenants.email]\nfrom = \"no-reply@one.test\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n"
    ));
    let node = Node::new("banyan", dir.path(), &[], &common);
    let config = std::fs::read_to_string(node.config_file()).unwrap();
    let config = config.replace("http://BASE", &node.client_url());
    std::fs::write(node.config_file(), config).unwrap();
    let mut witness = Witness { node, mails, secrets: Vec::new() };
    witness.node.start().await;
    live(&mut witness).await;
    witness.node.stop().await;
    let (logged, spans) = (witness.node.output(), collector.spans(|_| true));
    let traced = format!("{spans:?}");
    for told in [&logged, &traced] {
        assert!(told.contains("/account/password"), "nothing of the requests is told");
    }
    for secret in &witness.secrets {
        let encoded = secret.replace(' ', "%20");
        for text in [&logged, &traced] {
            assert!(!text.contains(secret.as_str()) && !text.contains(&encoded), "{secret:?} was told");
        }
    }
}
