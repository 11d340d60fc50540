//! Unmodified client libraries: two users, one room, 200 messages both ways, all received once and in order; and the same encrypted, with
//! two devices each.

use banyan_tests::{
    Cluster, Common, Node,
    chat::{Library, two_people},
    encrypted,
};

async fn embedded(dir: &std::path::Path) -> Node {
    let common = Common::embedded(&dir.join("data")).cheap_passwords().tenant("chat.test", true);
    let mut node = Node::new("banyan", dir, &[], &common);
    node.start().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_of_matrix_js_sdk_talk_on_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = embedded(dir.path()).await;
    two_people(Library::JsSdk, &node.client_url(), &node.client_url(), 200, "one").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_of_matrix_js_sdk_talk_through_sliding_sync() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = embedded(dir.path()).await;
    two_people(Library::JsSdkSliding, &node.client_url(), &node.client_url(), 200, "sliding").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_devices_of_matrix_js_sdk_talk_in_an_encrypted_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = embedded(dir.path()).await;
    encrypted::two_people(&node.client_url(), &node.client_url(), 50, "one").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_matrix_js_sdk_restores_a_dehydrated_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = embedded(dir.path()).await;
    encrypted::restored(&node.client_url(), &node.client_url(), 20, "one").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_of_matrix_nio_talk_on_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = embedded(dir.path()).await;
    two_people(Library::Nio, &node.client_url(), &node.client_url(), 200, "one").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_of_either_library_talk_on_a_cluster() {
    let cluster = Cluster::start(2, &["chat.test"]).await;
    let urls = cluster.client_urls();
    two_people(Library::JsSdk, &urls[0], &urls[1], 200, "cluster").await;
    two_people(Library::JsSdkSliding, &urls[0], &urls[1], 200, "sliding").await;
    two_people(Library::Nio, &urls[0], &urls[1], 200, "cluster").await;
    encrypted::two_people(&urls[0], &urls[1], 50, "cluster").await;
}
