//! What starts Banyan for a conformance suite keeps the contract in tests/conformance/README.md.

use std::{fs, path::Path, process::Command, time::Duration};

use banyan_testkit::{
    ports::free_port,
    process::{Process, until},
};
use banyan_tests::{Homeserver, binary::banyan, certificate::self_signed};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;

/// Where the launched homeserver listens.
struct Places {
    client: u16,
    federation: u16,
}

fn launch(dir: &Path, places: &Places) -> Process {
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/launch");
    let client = format!("127.0.0.1:{}", places.client);
    let mut command = Command::new(launcher);
    command.env("BANYAN_BIN", banyan()).env("HS_NAME", "hs1").env("HS_DATA", dir.join("data"));
    command.env("HS_CLIENT_LISTEN", &client).env("HS_PUBLIC_URL", format!("http://{client}"));
    command.env("HS_FEDERATION_LISTEN", format!("127.0.0.1:{}", places.federation));
    command.env("HS_TLS_CERT", dir.join("cert.pem")).env("HS_TLS_KEY", dir.join("key.pem")).env("HS_CA", dir.join("cert.pem"));
    command.env("HS_APPSERVICES", dir).env("HS_REGISTRATION_SECRET", "between us").env("HS_ROOM_VERSION", "11");
    Process::start("launch", command, &dir.join("log")).unwrap()
}

async fn ready(server: &Homeserver, places: &Places) {
    until("the homeserver to be ready", Duration::from_secs(60), async || {
        let versions = server.request(Method::GET, "/_matrix/client/versions", None, None).await;
        let federation = TcpStream::connect(("127.0.0.1", places.federation)).await;
        (versions.is_ok() && federation.is_ok()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suite_starts_kills_and_starts_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = self_signed(&["hs1"]);
    fs::write(dir.path().join("cert.pem"), certificate.certificate).unwrap();
    fs::write(dir.path().join("key.pem"), certificate.key).unwrap();
    let places = Places { client: free_port(), federation: free_port() };
    let server = Homeserver::new(&format!("http://127.0.0.1:{}", places.client));

    let mut process = launch(dir.path(), &places);
    ready(&server, &places).await;
    let alice = server.register("alice").await.unwrap();
    assert_eq!(alice.user_id, "@alice:hs1");
    let room = alice.create_room(&json!({})).await.unwrap();
    let create = alice.get(&format!("/_matrix/client/v3/rooms/{room}/state/m.room.create")).await.unwrap();
    assert_eq!(create["room_version"], "11");
    let nonce = server.request(Method::GET, "/_synapse/admin/v1/register", None, None).await.unwrap();
    assert!(nonce["nonce"].is_string(), "{nonce}");
    process.kill();

    let _again = launch(dir.path(), &places);
    ready(&server, &places).await;
    alice.send(&room, "1", "after the kill").await.unwrap();
}
