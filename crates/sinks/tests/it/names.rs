//! Resolvers for tests, and a small DNS server.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use easel_sinks::Resolve;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A resolver with fixed answers.
#[derive(Debug, Default)]
pub(crate) struct FixedNames {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    names: Mutex<Vec<String>>,
}

impl FixedNames {
    /// Answers the first call with the first list, and so on. Later calls fail.
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(parse).collect()),
            names: Mutex::default(),
        })
    }

    /// Returns the names that were resolved so far.
    pub(crate) fn resolved(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }
}

#[async_trait]
impl Resolve for FixedNames {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.names.lock().unwrap().push(name.to_owned());
        let answer = self.answers.lock().unwrap().pop_front();
        answer.ok_or_else(|| io::Error::other("no such name"))
    }
}

/// A resolver that never answers.
#[derive(Debug)]
pub(crate) struct NoAnswer;

#[async_trait]
impl Resolve for NoAnswer {
    async fn resolve(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

/// The length of the header of a DNS message.
const HEADER_BYTES: usize = 12;

/// A DNS server whose answers differ from query to query, with a time to live of 0.
#[derive(Debug)]
pub(crate) struct NameServer {
    address: SocketAddr,
    query_count: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

impl NameServer {
    /// Answers the first query with the first address, and so on. Later queries get the last address.
    pub(crate) async fn start(answers: &[Ipv4Addr]) -> Arc<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let query_count = Arc::new(AtomicUsize::new(0));
        let (count, answers) = (Arc::clone(&query_count), answers.to_vec());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut query = [0; 512];
            loop {
                let (query_bytes, peer) = socket.recv_from(&mut query).await.unwrap();
                let index = count.fetch_add(1, Ordering::SeqCst);
                let answer = answers.get(index).or(answers.last()).unwrap();
                let response = response(&query[..query_bytes], *answer);
                socket.send_to(&response, peer).await.unwrap();
            }
        });
        Arc::new(Self {
            address,
            query_count,
            _server: server,
        })
    }

    /// Returns how many queries were answered.
    pub(crate) fn query_count(&self) -> usize {
        self.query_count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolve for NameServer {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.send_to(&query(name), self.address).await?;
        let mut response = [0; 512];
        let (response_bytes, _peer) = socket.recv_from(&mut response).await?;
        // The only answer is an A record, which ends with the address.
        let [.., a, b, c, d] = response[..response_bytes] else {
            return Err(io::Error::other("the response is too short"));
        };
        Ok(vec![Ipv4Addr::new(a, b, c, d).into()])
    }
}

/// Returns a query for the A records of `name` (RFC 1035, section 4).
fn query(name: &str) -> Vec<u8> {
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    query
}

/// Returns the response with one A record.
fn response(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let (header, question) = query.split_at(HEADER_BYTES);
    let mut response = header[..2].to_vec();
    response.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    response.extend(question);
    // The name of the question, type A, class IN, a time to live of 0, four bytes.
    response.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
    response.extend(address.octets());
    response
}
