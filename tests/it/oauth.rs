//! Signing in by the OAuth 2.0 API, by an unmodified client library.

use std::fs;

use banyan_tests::{Common, Node, oauth};

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_to_matrix_js_sdk_by_oauth() {
    let dir = tempfile::tempdir().unwrap();
    let common = Common::embedded(&dir.path().join("data")).cheap_passwords().tenant("chat.test", true);
    let mut node = Node::new("banyan", dir.path(), &[], &common);
    // The API needs to know where it is reached.
    let config = fs::read_to_string(node.config_file()).unwrap();
    let tenant = "server_name = \"chat.test\"\n";
    let config = config.replace(tenant, &format!("{tenant}base_url = \"{}\"\n", node.client_url()));
    fs::write(node.config_file(), config).unwrap();
    node.start().await;
    oauth::sign_in(&node.client_url(), "one").await;
    node.stop().await;
}
