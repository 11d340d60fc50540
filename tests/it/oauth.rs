//! Signing in by the OAuth 2.0 API, by an unmodified client library; and through an upstream OpenID Connect provider.

use std::{fs, path::Path};

use banyan_testkit::ports::free_port;
use banyan_tests::{Common, Node, oauth};

/// A process that knows where it is reached, which the pages need, with more about its tenant.
async fn node(dir: &Path, more: &str) -> Node {
    let common = Common::embedded(&dir.join("data")).cheap_passwords().tenant("chat.test", true);
    let mut node = Node::new("banyan", dir, &[], &common);
    let config = fs::read_to_string(node.config_file()).unwrap();
    let tenant = "server_name = \"chat.test\"\n";
    let config = config.replace(tenant, &format!("{tenant}base_url = \"{}\"\n{more}", node.client_url()));
    fs::write(node.config_file(), config).unwrap();
    node.start().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_to_matrix_js_sdk_by_oauth() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(dir.path(), "").await;
    oauth::sign_in(&node.client_url(), "one").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_an_upstream_provider_sign_in() {
    let dir = tempfile::tempdir().unwrap();
    let (port, secret) = (free_port(), dir.path().join("secret"));
    fs::write(&secret, "the secret of the test").unwrap();
    let provider = format!(
        "sso = [{{ id = \"corp\", name = \"The corporation\", issuer = \"http://127.0.0.1:{port}\", client_id = \"banyan\", \
         client_secret_file = \"{}\" }}]\n",
        secret.display()
    );
    let mut node = node(dir.path(), &provider).await;
    oauth::sign_in_upstream(&node.client_url(), port).await;
    node.stop().await;
}
