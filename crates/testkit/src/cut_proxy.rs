//! A TCP proxy that cuts connections.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// When the proxy cuts a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the server receives the bytes.
    BeforeServer,
    /// After the server has received half of the bytes that the client sent at once.
    HalfWay,
    /// After the server has answered, before the client receives the answer.
    BeforeAnswer,
}

/// What happens to a connection that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It is closed on both sides.
    Closed,
    /// Nothing is forwarded any more. It is closed when one side ends.
    Silent,
}

#[derive(Clone, Debug)]
struct Trigger {
    /// The bytes in the stream from the client that start the cut.
    bytes: Vec<u8>,
    cut: Cut,
    ending: Ending,
}

#[derive(Debug, Default)]
struct CutRule {
    trigger: std::sync::Mutex<Option<Trigger>>,
    is_cut: watch::Sender<bool>,
}

/// A TCP proxy in front of a server.
#[derive(Debug)]
pub struct CutProxy {
    /// The loopback port of the proxy.
    pub port: u16,
    rule: Arc<CutRule>,
    _tasks: JoinSet<()>,
}

impl CutProxy {
    /// Starts a proxy in front of a server on this loopback port.
    pub async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let rule = Arc::new(CutRule::default());
        let shared = Arc::clone(&rule);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _address)) = listener.accept().await {
                // If the server is away, the client's connection is closed.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)).await {
                    connections.spawn(forward(client, server, Arc::clone(&shared)));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            port,
            rule,
            _tasks: tasks,
        }
    }

    /// Cuts the next connection that sends `trigger`.
    pub fn cut_at(&self, trigger: &[u8], cut: Cut) {
        self.set_trigger(trigger, cut, Ending::Closed);
    }

    /// Stops to forward for the next connection that sends `trigger`. The connection stays open until the client
    /// or the server ends.
    pub fn silence_at(&self, trigger: &[u8], cut: Cut) {
        self.set_trigger(trigger, cut, Ending::Silent);
    }

    fn set_trigger(&self, bytes: &[u8], cut: Cut, ending: Ending) {
        self.rule.is_cut.send_replace(false);
        *self.rule.trigger.lock().unwrap() = Some(Trigger {
            bytes: bytes.to_vec(),
            cut,
            ending,
        });
    }

    /// Cuts no connection any more. Returns true if the proxy has cut one.
    pub fn disarm(&self) -> bool {
        self.rule.trigger.lock().unwrap().take();
        self.has_cut()
    }

    /// Returns true if the proxy has cut a connection.
    pub fn has_cut(&self) -> bool {
        *self.rule.is_cut.borrow()
    }

    /// Waits until the proxy has cut a connection.
    pub async fn wait_for_cut(&self) {
        self.rule
            .is_cut
            .subscribe()
            .wait_for(|is_cut| *is_cut)
            .await
            .unwrap();
    }
}

/// Forwards in both directions until one side ends or the rule cuts the connection.
async fn forward(client: TcpStream, server: TcpStream, rule: Arc<CutRule>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut request = vec![0; 64 * 1024];
    let mut answer = vec![0; 64 * 1024];
    let mut waits_for_answer = None;
    let ending = loop {
        tokio::select! {
            read = from_client.read(&mut request) => {
                let count = read.unwrap_or(0);
                if count == 0 {
                    return;
                }
                let sent = &request[..count];
                let trigger = {
                    let mut trigger = rule.trigger.lock().unwrap();
                    trigger.take_if(|trigger| {
                        let length = trigger.bytes.len();
                        sent.windows(length).any(|part| part == trigger.bytes)
                    })
                };
                match trigger {
                    Some(Trigger { cut: Cut::BeforeServer, ending, .. }) => break ending,
                    Some(Trigger { cut: Cut::HalfWay, ending, .. }) => {
                        // The server may have ended.
                        drop(to_server.write_all(&sent[..count / 2]).await);
                        break ending;
                    }
                    Some(Trigger { cut: Cut::BeforeAnswer, ending, .. }) => {
                        waits_for_answer = Some(ending);
                    }
                    None => (),
                }
                if to_server.write_all(sent).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut answer) => {
                let count = read.unwrap_or(0);
                if let Some(ending) = waits_for_answer {
                    break ending;
                }
                if count == 0 || to_client.write_all(&answer[..count]).await.is_err() {
                    return;
                }
            }
        }
    };
    rule.is_cut.send_replace(true);
    let ended = async |from: &mut OwnedReadHalf| {
        let mut ignored = vec![0; 64 * 1024];
        while from.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
    };
    if ending == Ending::Silent {
        tokio::select! {
            () = ended(&mut from_client) => (),
            () = ended(&mut from_server) => (),
        }
    }
}
