//! No secret is ever written to a log.

use std::{
    io,
    sync::{Arc, Mutex},
};

use banyan_proto::userserver::{LoginRequest, use_registration_token_request::Step};
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{PASSWORD, World};

const ALICE: &str = "@alice:example.org";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn neither_logs_nor_debug_output_show_a_secret() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(captured.clone());
    // For the whole process: what the other tests do meanwhile is captured, too.
    tracing::subscriber::set_global_default(subscriber.finish()).expect("the only subscriber");

    let world = World::new();
    let process = world.owner("a").await;
    let request = world.registration(ALICE);
    tracing::debug!(?request, "a request");
    let made = process.register(request).await.expect("registered");
    tracing::debug!(?made, "an answer");
    let wrong = LoginRequest { password: "wrong-secret-words".to_owned(), ..world.login(ALICE) };
    tracing::debug!(?wrong, error = ?process.login(wrong.clone()).await, "a refusal");
    let login = process.login(world.login(ALICE)).await.expect("logged in");
    tracing::debug!(?login, "an answer");
    let held = world.token_use("three", "secret-session", Step::Hold);
    tracing::debug!(?held, "a request");
    process.use_token(held).await.expect("an answer");
    let account = process.reader().account(ALICE).await.expect("read").expect("the account");
    let row = process.reader().registration_token("example.org", "three").await.expect("read");
    tracing::debug!(?account, ?row, tenants = ?world.tenants, server = ?process.server, "rows");
    process.logout(world.logout(ALICE, &login.access_token)).await.expect("logged out");

    let shown = String::from_utf8(captured.0.lock().expect("not poisoned").clone()).expect("text");
    assert!(shown.contains("account made") && shown.contains("LoginRequest"), "the log was captured");
    let hash_of_password = account.password_hash.rsplit('$').next().expect("a hash").to_owned();
    for secret in
        [PASSWORD, "wrong-secret-words", &made.access_token, &login.access_token, "secret-session", &hash_of_password, "\"three\""]
    {
        assert!(!secret.is_empty() && !shown.contains(secret), "{secret} was shown");
    }
}
