use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::Request, routing::get};
use banyan_http::{ListenConfig, Listener, PeerAddr, host::requested_host};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

async fn fetch(address: SocketAddr) -> Result<String, reqwest::Error> {
    reqwest::get(format!("http://{address}/")).await?.text().await
}

fn any_port() -> ListenConfig {
    ListenConfig::plain(SocketAddr::from(([127, 0, 0, 1], 0)))
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_message() {
    let first = Listener::bind(&any_port()).await.unwrap();
    let error = Listener::bind(&ListenConfig::plain(first.local_addr())).await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&first.local_addr().to_string()) && message.contains("cannot listen on"), "{message}");
}

#[tokio::test]
async fn requests_carry_their_peer_and_host() {
    let listener = Listener::bind(&any_port()).await.unwrap();
    let address = listener.local_addr();
    let stop = CancellationToken::new();
    let show = |request: Request| async move {
        let peer = request.extensions().get::<PeerAddr>().unwrap().0.ip();
        let (parts, _) = request.into_parts();
        format!("{peer} {}", requested_host(&parts).unwrap())
    };
    let server = tokio::spawn(listener.serve(Router::new().route("/", get(show)), stop.clone(), Duration::from_secs(5)));
    let text = fetch(address).await.unwrap();
    assert_eq!(text, format!("127.0.0.1 {address}"));
    stop.cancel();
    server.await.unwrap().unwrap();
    assert!(fetch(address).await.is_err());
}

#[tokio::test]
async fn a_drain_lets_requests_end() {
    let listener = Listener::bind(&any_port()).await.unwrap();
    let address = listener.local_addr();
    let (begun, finish, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
    let slow = {
        let (begun, finish) = (begun.clone(), finish.clone());
        move || async move {
            begun.notify_one();
            finish.notified().await;
            "whole"
        }
    };
    let server = tokio::spawn(listener.serve(Router::new().route("/", get(slow)), stop.clone(), Duration::from_secs(30)));
    let answer = tokio::spawn(fetch(address));
    begun.notified().await;
    stop.cancel();
    finish.notify_one();
    assert_eq!(answer.await.unwrap().unwrap(), "whole");
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_ends_even_if_a_request_does_not() {
    let listener = Listener::bind(&any_port()).await.unwrap();
    let address = listener.local_addr();
    let (begun, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let stuck = {
        let begun = begun.clone();
        move || async move {
            begun.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let server = tokio::spawn(listener.serve(Router::new().route("/", get(stuck)), stop.clone(), Duration::from_millis(20)));
    let answer = tokio::spawn(fetch(address));
    begun.notified().await;
    stop.cancel();
    server.await.unwrap().unwrap();
    assert!(answer.await.unwrap().is_err());
}
