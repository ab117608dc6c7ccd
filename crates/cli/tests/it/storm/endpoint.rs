//! A webhook endpoint that fails in many ways.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::kill::load::numbered;

/// Events whose number is a multiple of this are rejected until `accept_poison` is called.
const POISON: u64 = 251;

/// A way to fail.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The connection is reset within the request.
    Reset,
    /// No answer comes.
    Hang,
    /// The answer is sent byte by byte.
    Drip,
    /// The answer has this status.
    Status(u16),
    /// The answer requests a pause of one second.
    Throttle,
    /// The answer has a body of many megabytes.
    Huge,
    /// The answer is a redirect.
    Redirect,
    /// The answer has a header that HTTP does not allow.
    Malformed,
}

impl Fault {
    pub(super) const ALL: [Self; 11] = [
        Self::Reset,
        Self::Hang,
        Self::Drip,
        Self::Status(500),
        Self::Status(503),
        Self::Status(404),
        Self::Status(410),
        Self::Throttle,
        Self::Huge,
        Self::Redirect,
        Self::Malformed,
    ];
}

/// An accepted delivery: the endpoint answered 200.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    /// The number of its event; `None` if the event was changed.
    pub(super) number: Option<u64>,
    pub(super) id: Option<Uuid>,
    pub(super) is_replay: bool,
}

/// A webhook endpoint that fails on command.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    failing_per_mille: u32,
    fault: Fault,
    rejects_poison: bool,
    accepted: Vec<Accepted>,
}

impl Endpoint {
    pub(super) async fn start(random: fastrand::Rng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                random,
                failing_per_mille: 0,
                fault: Fault::Reset,
                rejects_poison: true,
                accepted: Vec::new(),
            }),
        });
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _server: server,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Fails this many of 1,000 requests in this way from now on.
    pub(super) fn fail(&self, per_mille: u32, fault: Fault) {
        let mut state = self.shared.state.lock().unwrap();
        state.failing_per_mille = per_mille;
        state.fault = fault;
    }

    /// Accepts poison events from now on.
    pub(super) fn accept_poison(&self) {
        self.shared.state.lock().unwrap().rejects_poison = false;
    }

    /// Returns the accepted deliveries in the order of the answers.
    pub(super) fn accepted(&self) -> Vec<Accepted> {
        self.shared.state.lock().unwrap().accepted.clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_ended) = connections.join_next() => (),
            accepted = listener.accept() => {
                if let Ok((stream, _peer)) = accepted {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        // The client may close the connection at any time.
                        drop(serve(stream, &shared).await);
                    });
                }
            }
        }
    }
}

/// The relevant parts of a request.
struct Request {
    path: String,
    id: String,
    is_replay: bool,
    body: Bytes,
}

async fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        // An idle connection must not keep an old fault for its next request.
        if stream.fill_buf().await?.is_empty() {
            return Ok(());
        }
        let fault = {
            let mut state = shared.state.lock().unwrap();
            let fails = state.random.u32(..1_000) < state.failing_per_mille;
            fails.then_some(state.fault)
        };
        if let Some(Fault::Reset) = fault {
            stream.read_u8().await?;
            stream.get_ref().set_zero_linger()?;
            return Ok(());
        }
        let Some(request) = read(&mut stream).await? else {
            return Ok(());
        };
        let number = number_of(&request.body);
        let rejects = shared.state.lock().unwrap().rejects_poison && number.is_multiple_of(POISON);
        match fault {
            Some(fault) => fail(&mut stream, fault).await?,
            None if rejects => answer(&mut stream, 422, "", b"no such number").await?,
            None => {
                if request.path == "/hook" {
                    let is_whole = request.body == numbered(number);
                    let accepted = Accepted {
                        number: is_whole.then_some(number),
                        id: request.id.parse().ok(),
                        is_replay: request.is_replay,
                    };
                    shared.state.lock().unwrap().accepted.push(accepted);
                }
                answer(&mut stream, 200, "", b"").await?;
            }
        }
    }
}

async fn fail(stream: &mut BufReader<TcpStream>, fault: Fault) -> std::io::Result<()> {
    match fault {
        Fault::Hang | Fault::Reset => {
            sleep(Duration::from_secs(3)).await;
            Err(std::io::ErrorKind::ConnectionAborted.into())
        }
        Fault::Drip => {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
                stream.write_all(&[*byte]).await?;
                sleep(Duration::from_millis(100)).await;
            }
            Ok(())
        }
        Fault::Status(status) => answer(stream, status, "", b"not now").await,
        Fault::Throttle => answer(stream, 429, "retry-after: 1\r\n", b"").await,
        Fault::Huge => answer(stream, 500, "", &vec![b'x'; 8 << 20]).await,
        Fault::Redirect => answer(stream, 302, "location: http://127.0.0.1:9/\r\n", b"").await,
        Fault::Malformed => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n")
                .await?;
            Err(std::io::ErrorKind::ConnectionAborted.into())
        }
    }
}

async fn answer(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    stream.flush().await
}

/// Reads one request. Returns `None` if the connection is closed before it.
async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut id, mut is_replay, mut length) = (String::new(), false, 0);
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "webhook-id" => value.trim().clone_into(&mut id),
            "easel-replay" => is_replay = true,
            _ => (),
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Request {
        path,
        id,
        is_replay,
        body: body.into(),
    }))
}

/// Returns the number of an event, or 1 if it cannot be read. An event with the number 1 is not poison.
fn number_of(body: &[u8]) -> u64 {
    let event: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let request = event["metadata"]["request_id"].as_str();
    let number = request.and_then(|text| text.parse::<Uuid>().ok());
    number.map_or(1, |uuid| u64::try_from(uuid.as_u128()).unwrap_or(1))
}
