//! Tests of the special addresses: both ends of each network, and the addresses around it.

use proptest::prelude::*;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn reason(text: &str) -> Option<RefusedReason> {
    RefusedReason::for_address(address(text))
}

#[track_caller]
fn network(kind: AddressKind, network: &str, addresses: &[&str]) {
    let network = network.parse().unwrap();
    for text in addresses {
        let wanted = RefusedReason::Network { kind, network };
        assert_eq!(reason(text), Some(wanted), "{text}");
    }
}

#[track_caller]
fn public(addresses: &[&str]) {
    for text in addresses {
        assert_eq!(reason(text), None, "{text}");
    }
}

#[track_caller]
fn reserved(addresses: &[&str]) {
    for text in addresses {
        let wanted = Some(RefusedReason::OutsideGlobalUnicast);
        assert_eq!(reason(text), wanted, "{text}");
    }
}

#[track_caller]
fn embedded(form: Embedding, text: &str, ipv4: [u8; 4]) {
    match reason(text) {
        Some(RefusedReason::Embedded {
            form: found_form,
            ipv4: found_ipv4,
            metadata_service: _,
        }) => assert_eq!((found_form, found_ipv4), (form, ipv4.into()), "{text}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[track_caller]
fn shows(text: &str, wanted: &str) {
    assert_eq!(reason(text).unwrap().to_string(), wanted, "{text}");
}

#[test]
fn every_special_ipv4_network_is_refused_from_its_first_to_its_last_address() {
    use AddressKind::*;
    network(Unspecified, "0.0.0.0/32", &["0.0.0.0"]);
    network(
        ThisNetwork,
        "0.0.0.0/8",
        &["0.0.0.1", "0.128.0.0", "0.255.255.255"],
    );
    network(
        Private,
        "10.0.0.0/8",
        &["10.0.0.0", "10.1.2.3", "10.255.255.255"],
    );
    network(
        Shared,
        "100.64.0.0/10",
        &["100.64.0.0", "100.100.1.1", "100.127.255.255"],
    );
    network(
        Loopback,
        "127.0.0.0/8",
        &["127.0.0.0", "127.0.0.1", "127.255.255.255"],
    );
    network(
        LinkLocal,
        "169.254.0.0/16",
        &["169.254.0.0", "169.254.169.253", "169.254.255.255"],
    );
    network(
        Private,
        "172.16.0.0/12",
        &["172.16.0.0", "172.20.1.1", "172.31.255.255"],
    );
    network(
        Reserved,
        "192.0.0.0/24",
        &["192.0.0.0", "192.0.0.9", "192.0.0.255"],
    );
    network(
        Documentation,
        "192.0.2.0/24",
        &["192.0.2.0", "192.0.2.99", "192.0.2.255"],
    );
    network(
        Reserved,
        "192.88.99.0/24",
        &["192.88.99.0", "192.88.99.1", "192.88.99.255"],
    );
    network(
        Private,
        "192.168.0.0/16",
        &["192.168.0.0", "192.168.1.1", "192.168.255.255"],
    );
    network(
        Benchmark,
        "198.18.0.0/15",
        &["198.18.0.0", "198.19.0.0", "198.19.255.255"],
    );
    network(
        Documentation,
        "198.51.100.0/24",
        &["198.51.100.0", "198.51.100.7", "198.51.100.255"],
    );
    network(
        Documentation,
        "203.0.113.0/24",
        &["203.0.113.0", "203.0.113.7", "203.0.113.255"],
    );
    network(
        Multicast,
        "224.0.0.0/4",
        &["224.0.0.0", "230.1.1.1", "239.255.255.255"],
    );
    network(
        Reserved,
        "240.0.0.0/4",
        &["240.0.0.0", "250.1.1.1", "255.255.255.254"],
    );
    network(Broadcast, "255.255.255.255/32", &["255.255.255.255"]);
}

#[test]
fn the_ipv4_addresses_before_and_after_each_network_are_public() {
    public(&["1.0.0.0", "9.255.255.255", "11.0.0.0"]);
    public(&["100.63.255.255", "100.128.0.0"]);
    public(&["126.255.255.255", "128.0.0.0"]);
    public(&["169.253.255.255", "169.255.0.0"]);
    public(&["172.15.255.255", "172.32.0.0"]);
    public(&["191.255.255.255", "192.0.1.0", "192.0.1.255", "192.0.3.0"]);
    public(&["192.88.98.255", "192.88.100.0"]);
    public(&["192.167.255.255", "192.169.0.0"]);
    public(&["198.17.255.255", "198.20.0.0"]);
    public(&["198.51.99.255", "198.51.101.0"]);
    public(&["203.0.112.255", "203.0.114.0"]);
    public(&["223.255.255.255"]);
    public(&["168.63.129.15", "168.63.129.17"]);
}

#[test]
fn every_special_ipv6_network_is_refused_from_its_first_to_its_last_address() {
    use AddressKind::*;
    network(Unspecified, "::/128", &["::"]);
    network(Loopback, "::1/128", &["::1"]);
    network(Discard, "100::/64", &["100::", "100::ffff:ffff:ffff:ffff"]);
    network(
        Reserved,
        "2001::/23",
        &[
            "2001:1::",
            "2001:20::1",
            "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        ],
    );
    network(
        Documentation,
        "2001:db8::/32",
        &["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"],
    );
    network(
        Documentation,
        "3fff::/20",
        &["3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"],
    );
    network(
        Reserved,
        "5f00::/16",
        &["5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    );
    network(
        Private,
        "fc00::/7",
        &[
            "fc00::",
            "fd00::1",
            "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ],
    );
    network(
        LinkLocal,
        "fe80::/10",
        &["fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    );
    network(
        SiteLocal,
        "fec0::/10",
        &["fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    );
    network(
        Multicast,
        "ff00::/8",
        &[
            "ff00::",
            "ff02::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ],
    );
}

#[test]
fn only_global_unicast_is_public_in_ipv6() {
    public(&["2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
    public(&["2001:200::", "2001:db7:ffff::", "2001:db9::"]);
    public(&["2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"]);
    public(&["2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]);
    public(&["3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"]);
    public(&["3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
    reserved(&["1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::"]);
    reserved(&["100:0:0:1::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
    reserved(&["5eff::", "5f01::", "64:ff9b:0:1::", "64:ff9b:2::"]);
    reserved(&["0:0:0:1::", "::1:0:0:0", "::fffe:0:0", "8000::", "fbff::"]);
    reserved(&["fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
}

#[test]
fn every_form_that_embeds_an_ipv4_address_is_refused_with_the_address() {
    use Embedding::*;
    let ends = [
        [0, 0, 0, 0],
        [8, 8, 8, 8],
        [10, 0, 0, 1],
        [127, 0, 0, 1],
        [255; 4],
    ];
    for ipv4 in ends {
        let [a, b, c, d] = ipv4;
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let tail = format!("{high:x}:{low:x}");
        embedded(Mapped, &format!("::ffff:{tail}"), ipv4);
        embedded(Translated, &format!("::ffff:0:{tail}"), ipv4);
        embedded(Nat64, &format!("64:ff9b::{tail}"), ipv4);
        embedded(LocalNat64, &format!("64:ff9b:1::{tail}"), ipv4);
        embedded(LocalNat64, &format!("64:ff9b:1:ffff:ff:ffff:{tail}"), ipv4);
        embedded(SixToFour, &format!("2002:{tail}::1"), ipv4);
        let client = format!("{:x}:{:x}", !high, !low);
        embedded(
            Teredo,
            &format!("2001:0:4136:e378:8000:63bf:{client}"),
            ipv4,
        );
        embedded(Isatap, &format!("fe80::5efe:{tail}"), ipv4);
        embedded(Isatap, &format!("2a00:1450:4001:80b:200:5efe:{tail}"), ipv4);
    }
    embedded(Compatible, "::2", [0, 0, 0, 2]);
    embedded(Compatible, "::127.0.0.1", [127, 0, 0, 1]);
    embedded(Compatible, "::255.255.255.255", [255; 4]);
}

#[test]
fn metadata_services_are_named() {
    let is = "it is the address of the metadata service of";
    shows(
        "169.254.169.254",
        &format!("{is} AWS, Azure, Google Cloud and others"),
    );
    for (address, service) in [
        ("169.254.170.2", "AWS ECS"),
        ("169.254.170.23", "AWS EKS"),
        ("169.254.0.23", "Tencent Cloud"),
        ("169.254.42.42", "Scaleway"),
        ("100.100.100.200", "Alibaba Cloud"),
        ("168.63.129.16", "Azure"),
        ("192.0.0.192", "Oracle Cloud"),
        ("fd00:ec2::254", "AWS"),
        ("fd00:ec2::23", "AWS EKS"),
        ("fd20:ce::254", "Google Cloud"),
        ("fd00:c1::a9fe:a9fe", "Oracle Cloud"),
        ("fd00:42::42", "Scaleway"),
        ("fd00:a9fe:a9fe::1", "Linode"),
        ("fd00:100::100:200", "Alibaba Cloud"),
        ("fe80::a9fe:a9fe", "OpenStack"),
    ] {
        shows(address, &format!("{is} {service}"));
    }
}

#[test]
fn an_embedded_metadata_service_is_named() {
    for address in [
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::",
        "2001::5601:5601",
        "fe80::5efe:169.254.169.254",
        // A local NAT64 with prefixes of 96, 64, 56 and 48 bits.
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:0:a9:fea9:fe00:0",
        "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1:a9fe:a9:fe00::",
    ] {
        let reason = reason(address).unwrap();
        assert!(reason.is_metadata(), "{address}: {reason}");
        let text = reason.to_string();
        assert!(text.contains("169.254.169.254"), "{address}: {text}");
        assert!(text.contains("AWS, Azure"), "{address}: {text}");
    }
}

#[test]
fn the_reason_says_what_the_address_is() {
    shows("10.0.0.5", "it is a private address (10.0.0.0/8)");
    shows("::1", "it is a loopback address (::1/128)");
    shows("0.0.0.0", "it is the unspecified address (0.0.0.0/32)");
    shows(
        "0.1.2.3",
        "it is an address of \"this network\" (0.0.0.0/8)",
    );
    shows("fd00::1", "it is a private address (fc00::/7)");
    shows("4000::1", "it is a reserved address (outside 2000::/3)");
    shows(
        "64:ff9b::10.0.0.1",
        "it contains the IPv4 address 10.0.0.1 (NAT64, 64:ff9b::/96)",
    );
    shows(
        "::ffff:169.254.169.254",
        "it contains the IPv4 address 169.254.169.254 (IPv4-mapped, ::ffff:0:0/96) of the metadata \
         service of AWS, Azure, Google Cloud and others",
    );
}

/// The same rule in other words, with the methods of the standard library where there are any.
fn is_special(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || match address.octets() {
            [0 | 240..=255, ..] => true,
            [100, second, ..] => (64..128).contains(&second),
            [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => true,
            octets => octets == [168, 63, 129, 16],
        }
}

proptest! {
    #[test]
    fn an_ipv4_address_is_refused_exactly_if_it_is_special(address in any::<Ipv4Addr>()) {
        let is_refused = RefusedReason::for_address(address.into()).is_some();
        prop_assert_eq!(is_refused, is_special(address));
    }

    #[test]
    fn an_ipv4_address_near_a_special_network_is_judged_right(
        index in 0..IPV4_NETWORKS.len(),
        distance in -300_i64..300,
        from_end in any::<bool>(),
    ) {
        let (_kind, network) = IPV4_NETWORKS[index];
        let start = if from_end { network.broadcast() } else { network.network() };
        let IpAddr::V4(start) = start else { unreachable!() };
        let bits = i64::from(u32::from(start)) + distance;
        if let Ok(bits) = u32::try_from(bits) {
            let address = Ipv4Addr::from(bits);
            let is_refused = RefusedReason::for_address(address.into()).is_some();
            prop_assert_eq!(is_refused, is_special(address), "{}", address);
        }
    }

    #[test]
    fn an_ipv6_address_outside_global_unicast_is_refused(address in any::<Ipv6Addr>()) {
        let is_refused = RefusedReason::for_address(address.into()).is_some();
        let [first, ..] = address.segments();
        prop_assert!(is_refused || first >> 13 == 1, "{}", address);
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_always_refused(ipv4 in any::<Ipv4Addr>()) {
        for address in [ipv4.to_ipv6_mapped(), ipv4.to_ipv6_compatible()] {
            prop_assert!(RefusedReason::for_address(address.into()).is_some(), "{}", address);
        }
    }
}
