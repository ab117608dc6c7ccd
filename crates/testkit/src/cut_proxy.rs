//! A TCP proxy that cuts connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// When the proxy cuts a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the server receives the bytes.
    BeforeServer,
    /// After the server has answered, before the client receives the answer.
    BeforeAnswer,
}

#[derive(Debug, Default)]
struct CutRule {
    /// The bytes in the stream from the client that start the cut.
    trigger: std::sync::Mutex<Option<(Vec<u8>, Cut)>>,
    is_cut: AtomicBool,
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
                let server = TcpStream::connect(("127.0.0.1", server_port))
                    .await
                    .unwrap();
                connections.spawn(forward(client, server, Arc::clone(&shared)));
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
        self.rule.is_cut.store(false, Ordering::SeqCst);
        *self.rule.trigger.lock().unwrap() = Some((trigger.to_vec(), cut));
    }

    /// Returns true if the proxy has cut a connection.
    pub fn has_cut(&self) -> bool {
        self.rule.is_cut.load(Ordering::SeqCst)
    }
}

/// Forwards in both directions until one side ends or the rule cuts the connection.
async fn forward(client: TcpStream, server: TcpStream, rule: Arc<CutRule>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut request = vec![0; 64 * 1024];
    let mut answer = vec![0; 64 * 1024];
    let mut waits_for_answer = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut request) => {
                let count = read.unwrap_or(0);
                if count == 0 {
                    return;
                }
                let sent = &request[..count];
                let cut = {
                    let mut trigger = rule.trigger.lock().unwrap();
                    trigger.take_if(|(bytes, _cut)| sent.windows(bytes.len()).any(|part| part == bytes))
                };
                match cut {
                    Some((_bytes, Cut::BeforeServer)) => {
                        rule.is_cut.store(true, Ordering::SeqCst);
                        return;
                    }
                    Some((_bytes, Cut::BeforeAnswer)) => waits_for_answer = true,
                    None => (),
                }
                if to_server.write_all(sent).await.is_err() {
                    return;
                }
            }
            read = from_server.read(&mut answer) => {
                let count = read.unwrap_or(0);
                if waits_for_answer {
                    rule.is_cut.store(true, Ordering::SeqCst);
                    return;
                }
                if count == 0 || to_client.write_all(&answer[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
