//! A mail server that keeps what it is sent.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream},
    net::TcpListener,
    sync::Notify,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

/// How it behaves.
#[derive(Clone, Debug, Default)]
pub enum Manner {
    /// It takes mails.
    #[default]
    Kind,
    /// It takes connections and never says a word.
    Silent,
    /// It refuses every recipient.
    Refusing,
}

/// A mail as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Addresses of the envelope.
    pub from: String,
    /// As above.
    pub to: Vec<String>,
    /// Headers and body; lines end with `\n`.
    pub data: String,
    /// What the client logged in with, as it was sent (base64).
    pub login: Option<String>,
}

#[derive(Default)]
struct State {
    mails: Mutex<Vec<Received>>,
    came: Notify,
}

/// A mail server on loopback, until it is dropped.
pub struct MailServer {
    address: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MailServer {
    /// Starts one. With `tls` it speaks TLS from the first byte, or after STARTTLS where `starttls` is set.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(manner: Manner, tls: Option<TlsAcceptor>, starttls: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, manner, tls) = (shared.clone(), manner.clone(), tls.clone());
                tokio::spawn(async move {
                    let session = Session { state, manner, login: None };
                    // A client that goes away in the middle is its own business.
                    let _ = match (tls, starttls) {
                        (None, _) => session.talk(BufStream::new(stream), true, None).await.map(drop),
                        (Some(tls), false) => session.talk(BufStream::new(tls.accept(stream).await?), true, None).await.map(drop),
                        (Some(tls), true) => match session.talk(BufStream::new(stream), true, Some(())).await? {
                            Some((session, stream)) => {
                                let stream = tls.accept(stream.into_inner()).await?;
                                session.talk(BufStream::new(stream), false, None).await.map(drop)
                            }
                            None => Ok(()),
                        },
                    };
                    Ok::<(), io::Error>(())
                });
            }
        })
        .abort_handle();
        Ok(Self { address, state, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Received> {
        self.state.mails.lock().map(|mails| mails.clone()).unwrap_or_default()
    }

    /// The `n`th mail (from 0), once it is there.
    pub async fn mail(&self, n: usize) -> Received {
        loop {
            let came = self.state.came.notified();
            if let Some(mail) = self.mails().get(n) {
                return mail.clone();
            }
            came.await;
        }
    }
}

impl Received {
    /// The parts with their transfer encoding taken off: text, then HTML.
    #[must_use]
    pub fn parts(&self) -> Vec<String> {
        let boundary = self.data.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("\0");
        let separator = format!("--{boundary}");
        let parts = self.data.split(&separator).skip(1);
        parts.filter_map(|part| part.split_once("\n\n")).map(|(headers, body)| decoded(headers, body)).collect()
    }
}

/// Quoted-printable is what senders make of mostly plain text; other text is as it is.
fn decoded(headers: &str, body: &str) -> String {
    if !headers.to_lowercase().contains("quoted-printable") {
        return body.to_owned();
    }
    let joined = body.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'=').then(|| after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok())).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One connection.
struct Session {
    state: Arc<State>,
    manner: Manner,
    login: Option<String>,
}

impl Session {
    /// Talks until the client is done; `Some` if it wants TLS, which `offers_tls` says is there.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        mut stream: BufStream<S>,
        greet: bool,
        offers_tls: Option<()>,
    ) -> io::Result<Option<(Self, BufStream<S>)>> {
        if matches!(self.manner, Manner::Silent) {
            std::future::pending::<()>().await;
        }
        if greet {
            say(&mut stream, "220 sink").await?;
        }
        let (mut from, mut to) = (String::new(), Vec::new());
        while let Some(line) = line(&mut stream).await? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" | "HELO" => {
                    let tls = if offers_tls.is_some() { "250-STARTTLS\r\n" } else { "" };
                    say(&mut stream, &format!("250-sink\r\n{tls}250-8BITMIME\r\n250 AUTH PLAIN")).await?;
                }
                "STARTTLS" if offers_tls.is_some() => {
                    say(&mut stream, "220 go on").await?;
                    return Ok(Some((self, stream)));
                }
                "AUTH" => {
                    self.login = line.split(' ').nth(2).map(str::to_owned);
                    say(&mut stream, "235 welcome").await?;
                }
                "MAIL" => {
                    from = address(&line);
                    say(&mut stream, "250 ok").await?;
                }
                "RCPT" if matches!(self.manner, Manner::Refusing) => say(&mut stream, "550 no such mailbox").await?,
                "RCPT" => {
                    to.push(address(&line));
                    say(&mut stream, "250 ok").await?;
                }
                "DATA" => {
                    say(&mut stream, "354 go on").await?;
                    let data = data(&mut stream).await?;
                    let mail = Received { from: from.clone(), to: std::mem::take(&mut to), data, login: self.login.clone() };
                    if let Ok(mut mails) = self.state.mails.lock() {
                        mails.push(mail);
                    }
                    self.state.came.notify_waiters();
                    say(&mut stream, "250 taken").await?;
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await?;
                    return Ok(None);
                }
                _ => say(&mut stream, "502 what?").await?,
            }
        }
        Ok(None)
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, words: &str) -> io::Result<()> {
    stream.write_all(format!("{words}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn line<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

async fn data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> io::Result<String> {
    let mut data = String::new();
    while let Some(line) = line(stream).await? {
        if line == "." {
            break;
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
        data.push('\n');
    }
    Ok(data)
}

fn address(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(String::new(), |(address, _)| address.to_owned())
}
