//! Which addresses this vat lets itself be sent to.
//!
//! Peers tell URLs, and objects carry hints: without this, a stranger could have the daemon post into
//! networks that only it can reach. It is asked about the address a name resolved to, at the moment of
//! connecting, since a text proves nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who named a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// An operator of this vat.
    ByOperator,
    /// A peer, or a hint.
    ByPeer,
}

/// What may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Loopback and private addresses may be used whoever named them.
    pub allow_private: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Anywhere on the internet.
    Public,
    /// This machine, or a network of its own.
    Private,
    /// Nobody's for ever: link-local (where clouds keep their secrets), multicast, broadcast.
    Never,
}

impl Policy {
    /// Whether `ip` may be connected to for a URL that was named by `named`.
    pub fn allows(&self, ip: IpAddr, named: Named) -> bool {
        match kind(ip) {
            Kind::Public => true,
            Kind::Private => self.allow_private || named == Named::ByOperator,
            Kind::Never => false,
        }
    }
}

fn kind(ip: IpAddr) -> Kind {
    match ip.to_canonical() {
        IpAddr::V4(v4) => kind_v4(v4),
        IpAddr::V6(v6) => kind_v6(v6),
    }
}

fn kind_v4(ip: Ipv4Addr) -> Kind {
    let [a, b, c, _] = ip.octets();
    if ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() {
        return Kind::Never;
    }
    let private = ip.is_private()
        || ip.is_loopback()
        // "This network", which Linux takes for this machine.
        || a == 0
        // Carriers' own (RFC 6598), protocol assignments (RFC 6890), benchmarks (RFC 2544), reserved.
        || (a == 100 && b & 0xc0 == 64)
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240;
    if private { Kind::Private } else { Kind::Public }
}

fn kind_v6(ip: Ipv6Addr) -> Kind {
    let segments = ip.segments();
    let embedded = |high: u16, low: u16| kind_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match segments {
        // NAT64 (RFC 6052), 6to4 (RFC 3056) and the old IPv4-compatible form lead to the IPv4 address in them.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => embedded(high, low),
        // A NAT64 prefix of a network's own (RFC 8215).
        [0x64, 0xff9b, 1, ..] => Kind::Private,
        _ if ip.is_unicast_link_local() || ip.is_multicast() => Kind::Never,
        _ if ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() => Kind::Private,
        // Site-local, given up in RFC 3879, still routed by some.
        [first, ..] if first & 0xffc0 == 0xfec0 => Kind::Private,
        _ => Kind::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str, named: Named) -> bool {
        Policy { allow_private: false }.allows(text.parse().expect("an address"), named)
    }

    #[test]
    fn anyone_may_name_a_public_address() {
        for ip in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1",
            "2002:101:101::1",
            "64:ff9b::101:101",
        ] {
            assert!(allowed(ip, Named::ByPeer), "{ip}");
        }
    }

    #[test]
    fn only_an_operator_names_a_private_one() {
        for ip in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "240.0.0.1",
            "::1",
            "::",
            "fd00::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "2002:7f00:1::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
        ] {
            assert!(!allowed(ip, Named::ByPeer), "{ip}");
            assert!(allowed(ip, Named::ByOperator), "{ip}");
            let setting = Policy { allow_private: true };
            assert!(setting.allows(ip.parse().expect("an address"), Named::ByPeer), "{ip}");
        }
    }

    #[test]
    fn nobody_names_a_link_local_one() {
        for ip in [
            "169.254.169.254",
            "fe80::1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            let policy = Policy { allow_private: true };
            assert!(!policy.allows(ip.parse().expect("an address"), Named::ByOperator), "{ip}");
        }
    }
}
