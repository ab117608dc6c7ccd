//! Tests of the guard with real connections: what is refused is never dialled.

mod corpus;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use easel_sinks::{
    CheckedAddress, Endpoint, Guard, Refused, RefusedReason, SendError, Webhook, WebhookClient,
    WebhookOptions,
};
use easel_testkit::Receiver;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::connections::{NO_CONTENT, is_idle, serve};
use crate::dial_log::DialLog;
use crate::fixtures::{
    LONG_TIMEOUT, Post, batch, local_options, resolving_webhook, settings, short_batch,
};
use crate::names::{FixedNames, NameServer, NoAnswer};
use corpus::{CORPUS, PUBLIC, Wanted};

fn options(guard: Guard) -> WebhookOptions {
    WebhookOptions {
        guard,
        ..WebhookOptions::default()
    }
}

fn allowing(network: &str) -> WebhookOptions {
    options(Guard {
        allow: vec![network.parse().unwrap()],
        ..Guard::default()
    })
}

fn client(options: &WebhookOptions, names: &Arc<FixedNames>) -> WebhookClient {
    let names = Arc::clone(names);
    WebhookClient::with_resolver(options, names, Arc::new(jiff::Timestamp::now)).unwrap()
}

/// Returns the reason why there was no connection.
#[track_caller]
fn unconnected(result: Result<(), SendError>) -> String {
    match result {
        Err(SendError::NotSent { reason } | SendError::Unconnected { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

fn reason_of(refused: &Refused) -> Wanted {
    match *refused.reason() {
        RefusedReason::Network { kind, .. } => Wanted::Kind(kind),
        RefusedReason::OutsideGlobalUnicast => Wanted::Outside,
        RefusedReason::Embedded { form, .. } => Wanted::Embeds(form),
        RefusedReason::Metadata { .. } => Wanted::Metadata,
    }
}

/// The corpus as single rows.
fn rows() -> impl Iterator<Item = (&'static str, Wanted)> {
    let rows = |(wanted, urls): &'static (Wanted, &'static [&'static str])| {
        urls.iter().map(|url| (*url, *wanted))
    };
    CORPUS.iter().flat_map(rows)
}

#[test]
fn every_spelling_of_a_forbidden_url_is_refused_with_its_reason() {
    let mut wrong = Vec::new();
    for (url, wanted) in rows() {
        let found = match Endpoint::parse(url) {
            Err(error) => Some(Wanted::Url(error)),
            Ok(endpoint) => {
                let refused = Guard::default().check_host(endpoint.host_name()).err();
                refused.as_ref().map(reason_of)
            }
        };
        if found != Some(wanted) {
            wrong.push(format!("{url:?}: {found:?} instead of {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rows().count() >= 150);
}

#[tokio::test]
async fn no_spelling_of_a_forbidden_url_is_resolved_or_dialled() {
    let log = DialLog::start();
    let names = FixedNames::new(&[]);
    let client = client(&WebhookOptions::default(), &names);
    for (url, _wanted) in rows() {
        let Ok(endpoint) = Endpoint::parse(url) else {
            continue;
        };
        let https = endpoint.to_string().replacen("http://", "https://", 1);
        for endpoint in [endpoint, Endpoint::parse(&https).unwrap()] {
            let webhook = Webhook::new(client.clone(), endpoint, settings(LONG_TIMEOUT));
            let reason = unconnected(webhook.post(short_batch()).await);
            assert!(reason.starts_with("the address "), "{url:?}: {reason}");
            assert!(reason.contains(" is refused: it "), "{url:?}: {reason}");
        }
    }
    assert_eq!(log.dialled(), <[&str; 0]>::default());
    assert_eq!(names.resolved(), <[&str; 0]>::default());
}

#[test]
fn a_public_address_or_an_unknown_name_is_accepted() {
    for url in PUBLIC {
        let endpoint = Endpoint::parse(url).unwrap();
        assert_eq!(
            Guard::default().check_host(endpoint.host_name()),
            Ok(()),
            "{url}"
        );
    }
}

/// The other tests rely on this log, so this test shows that the log works.
#[tokio::test]
async fn an_allowed_address_is_dialled() {
    let receiver = Receiver::start().await;
    let log = DialLog::start();
    let webhook = resolving_webhook(&local_options(), &FixedNames::new(&[]), &receiver.url());
    assert_eq!(webhook.post(batch()).await, Ok(()));
    assert_eq!(log.dialled(), [receiver.address().to_string()]);
    assert_eq!(log.warnings(), <[&str; 0]>::default());
}

#[tokio::test]
async fn a_name_with_one_private_address_is_refused() {
    let log = DialLog::start();
    for answer in [
        &["8.8.8.8", "10.0.0.5"][..],
        &["10.0.0.5", "8.8.8.8"],
        &["2606:4700:4700::1111", "8.8.8.8", "10.0.0.5"],
        &["10.0.0.5"],
    ] {
        for scheme in ["http", "https"] {
            let names = FixedNames::new(&[answer]);
            let url = format!("{scheme}://meadow.example/hook?token=s3cret");
            let webhook = resolving_webhook(&WebhookOptions::default(), &names, &url);
            let reason = unconnected(webhook.post(batch()).await);
            assert_eq!(
                reason,
                "the address 10.0.0.5 of meadow.example is refused: it is a private address \
                 (10.0.0.0/8); the setting webhook.allow can allow it"
            );
            assert_eq!(names.resolved(), ["meadow.example"]);
        }
    }
    assert_eq!(log.dialled(), <[&str; 0]>::default());
}

#[tokio::test]
async fn a_name_is_refused_for_any_special_address() {
    let log = DialLog::start();
    for address in [
        "0.0.0.0",
        "127.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fe80::1",
        "fd00:ec2::254",
    ] {
        let names = FixedNames::new(&[&["8.8.8.8", address]]);
        let options = WebhookOptions::default();
        let webhook = resolving_webhook(&options, &names, "http://meadow.example/");
        let reason = unconnected(webhook.post(batch()).await);
        let start = format!("the address {address} of meadow.example is refused: it ");
        assert!(reason.starts_with(&start), "{address}: {reason}");
    }
    assert_eq!(log.dialled(), <[&str; 0]>::default());
}

#[tokio::test]
async fn a_name_without_an_address_is_no_refusal() {
    let options = WebhookOptions::default();
    for (names, wanted) in [
        (
            FixedNames::new(&[]),
            "client error (Connect): resolve the name meadow.example: no such name",
        ),
        (
            FixedNames::new(&[&[]]),
            "client error (Connect): the name meadow.example has no address",
        ),
    ] {
        let webhook = resolving_webhook(&options, &names, "http://meadow.example/");
        assert_eq!(unconnected(webhook.post(batch()).await), wanted);
    }
}

/// Returns two listeners with one port: on 127.0.0.2, which is allowed and stands for a public address,
/// and on 127.0.0.1, which is refused.
async fn allowed_and_forbidden() -> (TcpListener, TcpListener, u16) {
    let allowed = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await;
    let allowed = allowed.unwrap();
    let port = allowed.local_addr().unwrap().port();
    let forbidden = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    (allowed, forbidden.unwrap(), port)
}

#[tokio::test]
async fn a_name_that_changes_its_address_between_check_and_connection_gains_nothing() {
    let (allowed, forbidden, port) = allowed_and_forbidden().await;
    let name_server = NameServer::start(&[Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST]).await;
    let log = DialLog::start();
    let url = format!("http://rebind.meadow.example:{port}/");
    let webhook = resolving_webhook(&allowing("127.0.0.2/32"), &name_server, &url);

    // The connection is closed when the second request arrives.
    let server = serve(allowed, &[&[NO_CONTENT, ""]]);
    assert_eq!(webhook.post(short_batch()).await, Ok(()));
    assert_eq!(name_server.query_count(), 1);
    let checked_address = format!("127.0.0.2:{port}");
    assert_eq!(log.dialled(), [checked_address.as_str()]);

    // The request is sent again on a new connection of the second pool. The name now means this machine.
    let reason = unconnected(webhook.post(short_batch()).await);
    let start =
        "the address 127.0.0.1 of rebind.meadow.example is refused: it is a loopback address";
    assert!(reason.starts_with(start), "{reason}");
    assert_eq!(name_server.query_count(), 2);

    // So is a request on a new connection of the first pool.
    unconnected(webhook.post(short_batch()).await);
    assert_eq!(name_server.query_count(), 3);
    assert_eq!(log.dialled(), [checked_address.as_str()]);
    assert!(is_idle(&forbidden).await);
    drop(server);
}

#[tokio::test]
async fn a_name_that_first_means_this_machine_is_refused_without_a_second_query() {
    let (allowed, forbidden, port) = allowed_and_forbidden().await;
    let name_server = NameServer::start(&[Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)]).await;
    let url = format!("http://rebind.meadow.example:{port}/");
    let webhook = resolving_webhook(&allowing("127.0.0.2/32"), &name_server, &url);
    unconnected(webhook.post(short_batch()).await);
    assert_eq!(name_server.query_count(), 1);
    assert!(is_idle(&forbidden).await && is_idle(&allowed).await);
}

#[tokio::test]
async fn all_addresses_of_an_allowed_name_are_tried() {
    let (allowed, forbidden, port) = allowed_and_forbidden().await;
    drop(forbidden);
    let names = FixedNames::new(&[&["127.0.0.1", "127.0.0.2"]]);
    let url = format!("http://meadow.example:{port}/");
    let webhook = resolving_webhook(&local_options(), &names, &url);
    let server = serve(allowed, &[&[NO_CONTENT]]);
    assert_eq!(webhook.post(short_batch()).await, Ok(()));
    drop(server);
}

#[tokio::test]
async fn a_reporting_guard_connects_and_warns_once_per_connection() {
    let receiver = Receiver::start().await;
    let port = receiver.address().port();
    for host in ["127.0.0.1", "meadow.example", "localhost"] {
        let log = DialLog::start();
        let options = options(Guard::default().report_only());
        let names = FixedNames::new(&[&["127.0.0.1"]]);
        let webhook = resolving_webhook(&options, &names, &format!("http://{host}:{port}/"));
        for _ in 0..3 {
            assert_eq!(webhook.post(batch()).await, Ok(()), "{host}");
        }
        let warnings = log.warnings();
        assert_eq!((warnings.len(), log.dialled().len()), (1, 1), "{host}");
        let wanted = "is refused: it is a loopback address (127.0.0.0/8)";
        assert!(warnings[0].contains(wanted), "{}", warnings[0]);
    }
}

#[tokio::test]
async fn a_client_that_enforces_never_uses_a_connection_of_one_that_reports() {
    let receiver = Receiver::start().await;
    let url = format!("http://meadow.example:{}/", receiver.address().port());
    let enforcing = Guard::default();
    let reporting = options(enforcing.report_only());
    let names = || FixedNames::new(&[&["127.0.0.1"]]);
    let reporting = resolving_webhook(&reporting, &names(), &url);
    let enforcing = resolving_webhook(&options(enforcing), &names(), &url);
    assert_eq!(reporting.post(batch()).await, Ok(()));
    unconnected(enforcing.post(batch()).await);
    assert_eq!(reporting.post(batch()).await, Ok(()));
    assert_eq!((receiver.count(), receiver.connection_count()), (2, 1));
}

#[tokio::test]
async fn an_endpoint_is_checked_with_all_its_addresses_before_it_is_saved() {
    let endpoint = Endpoint::parse("https://meadow.example/hook").unwrap();
    let names = FixedNames::new(&[&["8.8.8.8", "192.168.0.1"], &["8.8.8.8"], &[]]);
    let client = client(&WebhookOptions::default(), &names);
    let refused = client.check(&endpoint).await.unwrap_err();
    assert_eq!(refused.address().to_string(), "192.168.0.1");
    let allowed = client.check(&endpoint).await;
    assert_eq!(allowed, Ok(CheckedAddress::Allowed));
    for reason in ["no address", "a failure of DNS"] {
        let unresolved = client.check(&endpoint).await;
        assert_eq!(unresolved, Ok(CheckedAddress::Unresolved), "{reason}");
    }
    assert_eq!(names.resolved().len(), 4, "one query for each check");

    for (url, is_accepted) in [
        ("http://10.0.0.1/", false),
        ("http://localhost/", false),
        ("http://8.8.8.8/", true),
    ] {
        let endpoint = Endpoint::parse(url).unwrap();
        let allowed = client.check(&endpoint).await.ok();
        let wanted = is_accepted.then_some(CheckedAddress::Allowed);
        assert_eq!(allowed, wanted, "{url}");
    }
    assert_eq!(names.resolved().len(), 4, "no name, no query");
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_does_not_answer_delays_saving_by_five_seconds() {
    let endpoint = Endpoint::parse("https://meadow.example/hook").unwrap();
    let start = Instant::now();
    let guard = Guard::default();
    let unresolved = guard
        .resolve_and_check(endpoint.host_name(), &NoAnswer)
        .await;
    assert_eq!(unresolved, Ok(CheckedAddress::Unresolved));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_does_not_answer_ends_the_connection_after_a_minute() {
    let options = WebhookOptions::default();
    let now = Arc::new(jiff::Timestamp::now);
    let client = WebhookClient::with_resolver(&options, Arc::new(NoAnswer), now).unwrap();
    let endpoint = Endpoint::parse("http://meadow.example/").unwrap();
    let webhook = Webhook::new(client, endpoint, settings(Duration::from_mins(2)));
    assert_eq!(
        unconnected(webhook.post(batch()).await),
        "client error (Connect): no connection after 60 seconds"
    );
}

#[tokio::test]
async fn the_port_of_the_url_is_dialled() {
    let receiver = Receiver::start().await;
    let log = DialLog::start();
    let port = receiver.address().port();
    let names = FixedNames::new(&[&["127.0.0.1"]]);
    let url = format!("http://meadow.example:{port}/");
    let webhook = resolving_webhook(&local_options(), &names, &url);
    assert_eq!(webhook.post(batch()).await, Ok(()));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    assert_eq!(log.dialled(), [address.to_string()]);
}
