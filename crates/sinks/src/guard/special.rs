//! The addresses that are not public, each with the reason.
//!
//! The networks come from the IANA special-purpose address registries
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>), and from the IANA registry of the IPv6
//! address space: only `2000::/3` is global unicast. Some of these networks are globally reachable (such as
//! `192.0.0.9` and `64:ff9b::/96`). They are refused too, because no webhook needs them. The metadata services
//! come from the documentation of the cloud providers.
//!
//! Not here: the special networks of public servers for AS112 and AMT (`192.31.196.0/24`, `192.52.193.0/24`,
//! `192.175.48.0/24` and `2620:4f:8000::/48`), because they are reachable from everywhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedReason {
    /// The address is in a special network.
    Network {
        /// The kind of the network.
        kind: AddressKind,
        /// The network.
        network: IpNet,
    },
    /// The IPv6 address is not global unicast.
    OutsideGlobalUnicast,
    /// The IPv6 address contains an IPv4 address.
    Embedded {
        /// The form of the IPv6 address.
        form: Embedding,
        /// The IPv4 address.
        ipv4: Ipv4Addr,
        /// The metadata service at the IPv4 address, if there is one.
        metadata_service: Option<&'static str>,
    },
    /// The address belongs to the metadata service of a cloud provider.
    Metadata {
        /// The service.
        service: &'static str,
    },
}

/// The kind of a special network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// `0.0.0.0` and `::`. On many systems, a connection to these addresses goes to the machine itself.
    Unspecified,
    /// "This network" (RFC 791).
    ThisNetwork,
    /// The machine itself.
    Loopback,
    /// Private networks: RFC 1918, and unique local addresses (RFC 4193).
    Private,
    /// The local network segment.
    LinkLocal,
    /// The deprecated private addresses of IPv6 (RFC 3879).
    SiteLocal,
    /// Networks between a provider and its customers (RFC 6598).
    Shared,
    /// Tests of network devices (RFC 2544).
    Benchmark,
    /// Examples in documents.
    Documentation,
    /// Groups of machines.
    Multicast,
    /// All machines of the network segment.
    Broadcast,
    /// Addresses whose traffic is dropped (RFC 6666).
    Discard,
    /// Protocol assignments and future use.
    Reserved,
}

/// A form of an IPv6 address that contains an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// `::ffff:0:0/96` (RFC 4291).
    Mapped,
    /// `::/96`, deprecated (RFC 4291).
    Compatible,
    /// `::ffff:0:0:0/96` (RFC 2765).
    Translated,
    /// `64:ff9b::/96` (RFC 6052).
    Nat64,
    /// `64:ff9b:1::/48` (RFC 8215).
    LocalNat64,
    /// `2002::/16` (RFC 3056).
    SixToFour,
    /// `2001::/32` (RFC 4380).
    Teredo,
    /// An interface identifier that begins with `0:5efe` or `200:5efe` (RFC 5214).
    Isatap,
}

impl RefusedReason {
    /// Returns the reason to refuse `address`; `None` for a public address.
    pub(super) fn for_address(address: IpAddr) -> Option<Self> {
        if let Some(service) = metadata_service(address) {
            return Some(Self::Metadata { service });
        }
        match address {
            IpAddr::V4(address) => special_network(&IPV4_NETWORKS, address.into()),
            IpAddr::V6(address) => ipv6_reason(address),
        }
    }

    /// True for a metadata service, and for an IPv6 address that contains the address of one.
    pub(super) const fn is_metadata(&self) -> bool {
        match self {
            Self::Metadata { .. } => true,
            Self::Embedded {
                metadata_service, ..
            } => metadata_service.is_some(),
            Self::Network { .. } | Self::OutsideGlobalUnicast => false,
        }
    }
}

fn ipv6_reason(address: Ipv6Addr) -> Option<RefusedReason> {
    // `::` and `::1` have the form of an IPv4-compatible address, but they are not one.
    if !address.is_unspecified()
        && !address.is_loopback()
        && let Some(reason) = embedded_reason(address)
    {
        return Some(reason);
    }
    special_network(&IPV6_NETWORKS, address.into()).or_else(|| {
        let is_global_unicast = GLOBAL_UNICAST.contains(&address);
        (!is_global_unicast).then_some(RefusedReason::OutsideGlobalUnicast)
    })
}

fn special_network(networks: &[(AddressKind, IpNet)], address: IpAddr) -> Option<RefusedReason> {
    let mut networks = networks.iter();
    let &(kind, network) = networks.find(|(_kind, network)| network.contains(&address))?;
    Some(RefusedReason::Network { kind, network })
}

fn embedded_reason(address: Ipv6Addr) -> Option<RefusedReason> {
    let form = embedding(address)?;
    let [.., a, b, c, d] = address.octets();
    let last = Ipv4Addr::new(a, b, c, d);
    let ipv4 = match form {
        Embedding::SixToFour => {
            let [_, _, a, b, c, d, ..] = address.octets();
            Ipv4Addr::new(a, b, c, d)
        }
        // A Teredo address contains the inverted address of the client.
        Embedding::Teredo => !last,
        Embedding::LocalNat64 => metadata_in_local_nat64(address).unwrap_or(last),
        Embedding::Mapped
        | Embedding::Compatible
        | Embedding::Translated
        | Embedding::Nat64
        | Embedding::Isatap => last,
    };
    Some(RefusedReason::Embedded {
        form,
        ipv4,
        metadata_service: metadata_service(ipv4.into()),
    })
}

fn embedding(address: Ipv6Addr) -> Option<Embedding> {
    if let [_, _, _, _, 0 | 0x200, 0x5efe, _, _] = address.segments() {
        return Some(Embedding::Isatap);
    }
    let mut networks = EMBEDDING_NETWORKS.iter();
    let (form, _network) = networks.find(|(_form, network)| network.contains(&address))?;
    Some(*form)
}

/// The operator of a local NAT64 chooses where the IPv4 address begins: at byte 6, 7, 9 or 12 (RFC 6052,
/// section 2.2). Byte 8 is never part of the IPv4 address. Returns the address of a metadata service at any
/// place.
fn metadata_in_local_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets().into_iter().enumerate();
    let octets = octets.filter(|(index, _octet)| *index >= 6 && *index != 8);
    let octets: Vec<u8> = octets.map(|(_index, octet)| octet).collect();
    let places = octets.windows(4);
    let mut addresses =
        places.filter_map(|place| Some(Ipv4Addr::from_octets(place.try_into().ok()?)));
    addresses.find(|ipv4| metadata_service(IpAddr::V4(*ipv4)).is_some())
}

fn metadata_service(address: IpAddr) -> Option<&'static str> {
    let mut services = METADATA_SERVICES.iter();
    let (_address, service) =
        services.find(|(service_address, _service)| *service_address == address)?;
    Some(service)
}

impl fmt::Display for RefusedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { kind, network } => write!(f, "it is {kind} ({network})"),
            Self::OutsideGlobalUnicast => {
                write!(f, "it is a reserved address (outside {GLOBAL_UNICAST})")
            }
            Self::Embedded {
                form,
                ipv4,
                metadata_service,
            } => {
                write!(f, "it contains the IPv4 address {ipv4} ({form})")?;
                match metadata_service {
                    Some(service) => write!(f, " of the metadata service of {service}"),
                    None => Ok(()),
                }
            }
            Self::Metadata { service } => {
                write!(f, "it is the address of the metadata service of {service}")
            }
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "the unspecified address",
            Self::ThisNetwork => "an address of \"this network\"",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::SiteLocal => "a site-local address",
            Self::Shared => "a shared address",
            Self::Benchmark => "a benchmark address",
            Self::Documentation => "a documentation address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Discard => "a discard address",
            Self::Reserved => "a reserved address",
        })
    }
}

impl fmt::Display for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mapped => "IPv4-mapped, ::ffff:0:0/96",
            Self::Compatible => "IPv4-compatible, ::/96",
            Self::Translated => "IPv4-translated, ::ffff:0:0:0/96",
            Self::Nat64 => "NAT64, 64:ff9b::/96",
            Self::LocalNat64 => "local NAT64, 64:ff9b:1::/48",
            Self::SixToFour => "6to4, 2002::/16",
            Self::Teredo => "Teredo, 2001::/32",
            Self::Isatap => "ISATAP",
        })
    }
}

const fn v4(octets: [u8; 4], prefix_len: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(
        Ipv4Addr::from_octets(octets),
        prefix_len,
    ))
}

const fn v6(segments: [u16; 8], prefix_len: u8) -> IpNet {
    IpNet::V6(v6_network(segments, prefix_len))
}

const fn v6_network(segments: [u16; 8], prefix_len: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix_len)
}

/// If one network contains another, the smaller one comes first.
const IPV4_NETWORKS: [(AddressKind, IpNet); 17] = [
    (AddressKind::Unspecified, v4([0, 0, 0, 0], 32)),
    (AddressKind::ThisNetwork, v4([0, 0, 0, 0], 8)),
    (AddressKind::Private, v4([10, 0, 0, 0], 8)),
    (AddressKind::Shared, v4([100, 64, 0, 0], 10)),
    (AddressKind::Loopback, v4([127, 0, 0, 0], 8)),
    (AddressKind::LinkLocal, v4([169, 254, 0, 0], 16)),
    (AddressKind::Private, v4([172, 16, 0, 0], 12)),
    (AddressKind::Reserved, v4([192, 0, 0, 0], 24)),
    (AddressKind::Documentation, v4([192, 0, 2, 0], 24)),
    (AddressKind::Reserved, v4([192, 88, 99, 0], 24)),
    (AddressKind::Private, v4([192, 168, 0, 0], 16)),
    (AddressKind::Benchmark, v4([198, 18, 0, 0], 15)),
    (AddressKind::Documentation, v4([198, 51, 100, 0], 24)),
    (AddressKind::Documentation, v4([203, 0, 113, 0], 24)),
    (AddressKind::Multicast, v4([224, 0, 0, 0], 4)),
    (AddressKind::Broadcast, v4([255, 255, 255, 255], 32)),
    (AddressKind::Reserved, v4([240, 0, 0, 0], 4)),
];

const IPV6_NETWORKS: [(AddressKind, IpNet); 11] = [
    (AddressKind::Unspecified, v6([0; 8], 128)),
    (AddressKind::Loopback, v6([0, 0, 0, 0, 0, 0, 0, 1], 128)),
    (AddressKind::Discard, v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64)),
    (AddressKind::Reserved, v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23)),
    (
        AddressKind::Documentation,
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ),
    (
        AddressKind::Documentation,
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    ),
    (AddressKind::Reserved, v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16)),
    (AddressKind::Private, v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7)),
    (
        AddressKind::LinkLocal,
        v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ),
    (
        AddressKind::SiteLocal,
        v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    ),
    (AddressKind::Multicast, v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8)),
];

const GLOBAL_UNICAST: Ipv6Net = v6_network([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// The embeddings that a network identifies.
const EMBEDDING_NETWORKS: [(Embedding, Ipv6Net); 7] = [
    (
        Embedding::Mapped,
        v6_network([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    ),
    (Embedding::Compatible, v6_network([0; 8], 96)),
    (
        Embedding::Translated,
        v6_network([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),
    ),
    (
        Embedding::Nat64,
        v6_network([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
    ),
    (
        Embedding::LocalNat64,
        v6_network([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    ),
    (
        Embedding::SixToFour,
        v6_network([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ),
    (
        Embedding::Teredo,
        v6_network([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
    ),
];

/// The addresses of metadata services. Some of these services give credentials of the machine to every
/// process that can connect to them.
const METADATA_SERVICES: [(IpAddr, &str); 16] = [
    (
        metadata_v4([169, 254, 169, 254]),
        "AWS, Azure, Google Cloud and others",
    ),
    (metadata_v4([169, 254, 170, 2]), "AWS ECS"),
    (metadata_v4([169, 254, 170, 23]), "AWS EKS"),
    (metadata_v4([169, 254, 0, 23]), "Tencent Cloud"),
    (metadata_v4([169, 254, 42, 42]), "Scaleway"),
    (metadata_v4([100, 100, 100, 200]), "Alibaba Cloud"),
    // A public address that Azure routes to the host of the virtual machine.
    (metadata_v4([168, 63, 129, 16]), "Azure"),
    (metadata_v4([192, 0, 0, 192]), "Oracle Cloud"),
    (metadata_v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), "AWS"),
    (metadata_v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]), "AWS EKS"),
    (
        metadata_v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),
        "Google Cloud",
    ),
    (
        metadata_v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
        "Oracle Cloud",
    ),
    (metadata_v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]), "Scaleway"),
    (
        metadata_v6([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1]),
        "Linode",
    ),
    (
        metadata_v6([0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200]),
        "Alibaba Cloud",
    ),
    (
        metadata_v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
        "OpenStack",
    ),
];

const fn metadata_v4(octets: [u8; 4]) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_octets(octets))
}

const fn metadata_v6(segments: [u16; 8]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_segments(segments))
}

#[cfg(test)]
mod tests;
