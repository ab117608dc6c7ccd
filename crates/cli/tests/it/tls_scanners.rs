//! What sslscan and testssl.sh say about a server with TLS. Both are packages of Debian; `scripts/clients`
//! installs them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use easel_testkit::report_missing;
use serde_json::Value;

use crate::tls_server::TlsServer;

/// All cipher suites that a server may accept: authenticated encryption, with forward secrecy.
const CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// What testssl.sh says about every private authority: its certificates have no address of a list of
/// revoked certificates, and no DNS record allows it.
const OF_PRIVATE_AUTHORITIES: [&str; 2] = ["cert_revocation", "DNS_CAArecord"];

/// Returns the value of an attribute of an XML element.
fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

#[test]
fn sslscan_finds_only_new_protocols_and_strong_ciphers() {
    let server = TlsServer::start("");
    let mut command = Command::new("sslscan");
    command.args(["--xml=-", server.address()]);
    let Ok(output) = command.output() else {
        report_missing("sslscan");
        return;
    };
    let report = String::from_utf8(output.stdout).unwrap();
    let elements = |start: &str| -> Vec<&str> {
        let lines = report.lines().map(str::trim);
        lines.filter(|line| line.starts_with(start)).collect()
    };
    let enabled: Vec<_> = elements("<protocol ")
        .into_iter()
        .filter(|protocol| attribute(protocol, "enabled") == "1")
        .map(|protocol| {
            format!(
                "{} {}",
                attribute(protocol, "type"),
                attribute(protocol, "version")
            )
        })
        .collect();
    assert_eq!(enabled, ["tls 1.2", "tls 1.3"], "{report}");
    let ciphers = elements("<cipher ");
    let names: BTreeSet<_> = ciphers
        .iter()
        .map(|cipher| attribute(cipher, "cipher"))
        .collect();
    assert_eq!(names, BTreeSet::from(CIPHERS), "{report}");
    for cipher in ciphers {
        let bits: u32 = attribute(cipher, "bits").parse().unwrap();
        assert!(bits >= 128, "{cipher}");
    }
    for element in elements("<heartbleed ") {
        assert_eq!(attribute(element, "vulnerable"), "0", "{element}");
    }
    for element in elements("<renegotiation ") {
        assert_eq!(attribute(element, "supported"), "0", "{element}");
    }
    eprintln!(
        "sslscan: {}; {}",
        enabled.join(", "),
        Vec::from_iter(names).join(", ")
    );
}

#[test]
fn testssl_finds_nothing_of_weight() {
    let server = TlsServer::start("");
    let report = server.folder().join("report.json");
    let mut command = Command::new("testssl");
    command
        .args(["--quiet", "--warnings", "batch", "--color", "0", "--add-ca"])
        .arg(server.ca_file())
        .arg("--jsonfile")
        .arg(&report)
        // Protocols, ciphers, forward secrecy, preferences, certificate, headers, vulnerabilities.
        .args(["-p", "-s", "-f", "-P", "-S", "-h", "-U"])
        .arg(server.url());
    let Ok(output) = command.output() else {
        report_missing("testssl.sh");
        return;
    };
    let stdout = String::from_utf8_lossy(&output.stdout);
    let report = fs::read_to_string(&report).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let findings: Vec<Value> = serde_json::from_str(&report).unwrap();
    assert!(findings.len() > 60, "{stdout}");
    let finding = |id: &str| {
        let found = findings.iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("{id} is missing in {report}"))["finding"].to_string()
    };
    for (id, part) in [
        ("SSLv2", "not offered"),
        ("SSLv3", "not offered"),
        ("TLS1", "not offered"),
        ("TLS1_1", "not offered"),
        ("TLS1_2", "offered"),
        ("TLS1_3", "offered"),
        ("ALPN_HTTP2", "h2"),
        ("cert_chain_of_trust", "passed"),
        ("HSTS_time", "365 days"),
        ("heartbleed", "not vulnerable"),
        ("BREACH", "not vulnerable"),
    ] {
        let found = finding(id);
        assert!(found.contains(part), "{id}: {found}");
    }
    let is_weighty = |finding: &&Value| {
        let severity = finding["severity"].as_str().unwrap();
        let id = finding["id"].as_str().unwrap();
        let is_ours = !OF_PRIVATE_AUTHORITIES
            .iter()
            .any(|known| id.starts_with(known));
        ["LOW", "MEDIUM", "HIGH", "CRITICAL"].contains(&severity) && is_ours
    };
    let weighty: Vec<_> = findings.iter().filter(is_weighty).collect();
    assert!(weighty.is_empty(), "{weighty:#?}");
    let count = |severity: &str| {
        let findings = findings.iter();
        findings
            .filter(|finding| finding["severity"] == severity)
            .count()
    };
    eprintln!(
        "testssl.sh: {} findings: {} OK, {} INFO, none of weight but those of every private authority",
        findings.len(),
        count("OK"),
        count("INFO"),
    );
}
