//! Tests of the rules: what the operator allows, and what a refusal says.

use super::*;

fn guard(allow: &[&str]) -> Guard {
    Guard {
        allow: allow
            .iter()
            .map(|network| network.parse().unwrap())
            .collect(),
        ..Guard::default()
    }
}

fn local_guard() -> Guard {
    Guard {
        loopback_allowed: true,
        ..Guard::default()
    }
}

#[track_caller]
fn permits(guard: &Guard, addresses: &[&str]) {
    for text in addresses {
        assert_eq!(guard.check(text.parse().unwrap()), Ok(()), "{text}");
    }
}

#[track_caller]
fn refuses(guard: &Guard, addresses: &[&str]) {
    for text in addresses {
        let address = text.parse().unwrap();
        let refused = guard.check(address).unwrap_err();
        assert_eq!(refused.address(), address, "{text}");
    }
}

fn check_url(guard: &Guard, url: &str) -> Result<(), Refused> {
    let url = url::Url::parse(url).unwrap();
    guard.check_host(url.host_str().unwrap())
}

#[track_caller]
fn says(guard: &Guard, url: &str, wanted: &str) {
    let refused = check_url(guard, url).unwrap_err();
    assert_eq!(refused.to_string(), wanted, "{url}");
}

#[test]
fn the_default_refuses_special_addresses_and_permits_public_ones() {
    let guard = Guard::default();
    permits(&guard, &["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111"]);
    refuses(&guard, &["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254"]);
}

#[test]
fn an_allowed_network_is_permitted_and_its_neighbours_are_not() {
    let guard = guard(&["10.1.0.0/16", "fd00:1::/32"]);
    permits(
        &guard,
        &["10.1.0.0", "10.1.255.255", "fd00:1::1", "8.8.8.8"],
    );
    refuses(&guard, &["10.0.255.255", "10.2.0.0", "fd00:2::1"]);
    refuses(&guard, &["192.168.0.1", "127.0.0.1"]);
}

#[test]
fn an_allowed_ipv4_network_permits_the_mapped_form_and_no_other_form() {
    let guard = guard(&["10.0.0.0/8"]);
    permits(&guard, &["::ffff:10.0.0.1"]);
    refuses(
        &guard,
        &["::10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1"],
    );
    refuses(
        &guard,
        &["2002:a00:1::", "fe80::5efe:10.0.0.1", "64:ff9b:1::10.0.0.1"],
    );
    refuses(&guard, &["2001::f5ff:fffe", "::ffff:192.168.0.1"]);
}

#[test]
fn an_allowed_ipv6_network_permits_the_addresses_that_contain_ipv4_addresses() {
    permits(&guard(&["64:ff9b::/96"]), &["64:ff9b::10.0.0.1"]);
    permits(&guard(&["::ffff:0:0/96"]), &["::ffff:10.0.0.1"]);
    refuses(&guard(&["::ffff:0:0/96"]), &["10.0.0.1"]);
}

#[test]
fn allowing_loopback_allows_no_other_address() {
    let guard = local_guard();
    permits(&guard, &["127.0.0.1", "127.0.0.0", "127.255.255.255"]);
    permits(&guard, &["::1", "::ffff:127.0.0.1"]);
    refuses(
        &guard,
        &["0.0.0.0", "::", "::127.0.0.1", "64:ff9b::127.0.0.1"],
    );
    refuses(&guard, &["10.0.0.1", "169.254.169.254", "fe80::1"]);
}

#[test]
fn a_metadata_service_is_permitted_only_by_a_network_of_its_address() {
    let services = [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    ];
    refuses(&guard(&["0.0.0.0/0", "::/0"]), &services);
    refuses(
        &guard(&["169.254.169.254/31", "169.254.169.255/32"]),
        &services,
    );
    permits(&guard(&["169.254.169.254/32"]), &["169.254.169.254"]);
    permits(&guard(&["169.254.169.254/32"]), &["::ffff:169.254.169.254"]);
    permits(&guard(&["fd00:ec2::254/128"]), &["fd00:ec2::254"]);
    // The address of Azure's service is public, and is refused too.
    refuses(&Guard::default(), &["168.63.129.16"]);
    permits(&guard(&["168.63.129.16/32"]), &["168.63.129.16"]);
}

#[test]
fn a_wide_network_does_not_permit_a_metadata_service_in_another_form() {
    let wide = guard(&["0.0.0.0/0", "::/0", "169.254.169.254/32"]);
    let forms = [
        "64:ff9b::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
    ];
    refuses(&wide, &forms);
    permits(&guard(&["2002:a9fe:a9fe::1/128"]), &["2002:a9fe:a9fe::1"]);
}

#[test]
fn the_names_of_this_machine_are_its_loopback_address() {
    let names = [
        "localhost",
        "LocalHost",
        "localhost.",
        "localhost..",
        "meadow.localhost",
        "a.b.localhost.",
        "localhost.localdomain",
        "ip6-localhost",
        "ip6-loopback",
    ];
    for name in names {
        let url = format!("http://{name}:8080/hook");
        check_url(&Guard::default(), &url).unwrap_err();
        assert_eq!(check_url(&local_guard(), &url), Ok(()), "{name}");
        assert_eq!(check_url(&guard(&["127.0.0.0/8"]), &url), Ok(()), "{name}");
    }
    for name in ["localhost.example", "notlocalhost", "localhost1"] {
        let url = format!("http://{name}/");
        assert_eq!(check_url(&Guard::default(), &url), Ok(()), "{name}");
    }
}

#[test]
fn a_refusal_names_the_host_the_address_the_reason_and_the_setting() {
    let guard = Guard::default();
    says(
        &guard,
        "http://10.0.0.5/hook",
        "the address 10.0.0.5 is refused: it is a private address (10.0.0.0/8); the setting \
         webhook.allow can allow it",
    );
    says(
        &guard,
        "http://[::1]:8080/hook",
        "the address ::1 is refused: it is a loopback address (::1/128); the setting webhook.allow \
         can allow it",
    );
    says(
        &guard,
        "https://shop.localhost/hook",
        "the address 127.0.0.1 of shop.localhost is refused: it is a loopback address \
         (127.0.0.0/8); the setting webhook.allow can allow it",
    );
    says(
        &guard,
        "http://metadata.google.internal/computeMetadata/v1/",
        "the address 169.254.169.254 of metadata.google.internal is refused: it is the address of \
         the metadata service of AWS, Azure, Google Cloud and others; the setting webhook.allow can \
         allow it, but only as 169.254.169.254/32",
    );
}

#[test]
fn a_reporting_guard_has_the_same_rules() {
    let guard = guard(&["10.0.0.0/8"]);
    let reporting = guard.report_only();
    assert_eq!(reporting.mode, GuardMode::Report);
    permits(&reporting, &["10.0.0.1"]);
    refuses(&reporting, &["192.168.0.1"]);
    assert_eq!(
        Guard {
            mode: GuardMode::Enforce,
            ..reporting
        },
        guard
    );
}
