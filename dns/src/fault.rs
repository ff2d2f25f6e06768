//! Faults for which a snapshot cannot be served.

/// Reason why a snapshot cannot be served by DNS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// A text in the catalog is no domain name.
    #[error("{0:?} is not a domain name")]
    BadName(String),
    /// Two zones have the same apex.
    #[error("zone {0} is listed twice")]
    ZoneTwice(String),
    /// A zone does not have exactly one SOA at its apex.
    #[error("zone {zone} has {count} SOA records at its apex: give it exactly one")]
    Soa {
        /// The zone.
        zone: String,
        /// Number of its SOA records.
        count: usize,
    },
    /// A zone has no NS records at its apex.
    #[error("zone {0} has no NS record at its apex: name its servers")]
    NoNs(String),
    /// A record lies outside its zone.
    #[error("record {owner} lies outside zone {zone}")]
    OutsideZone {
        /// Owner of the record.
        owner: String,
        /// The zone that lists it.
        zone: String,
    },
    /// RDATA does not have the form of its type.
    #[error("record {owner} of type {rtype} has malformed RDATA")]
    Rdata {
        /// Owner of the record.
        owner: String,
        /// Type code.
        rtype: u16,
    },
    /// A type that this server does not answer rightly.
    #[error("record {owner}: type {rtype} is not served here (DNAME, OPT and question-only types)")]
    Unserved {
        /// Owner of the record.
        owner: String,
        /// Type code.
        rtype: u16,
    },
    /// A CNAME with other data beside it (RFC 1034 section 3.6.2).
    #[error("{0} has a CNAME and other data: keep one of them")]
    CnameConflict(String),
    /// A service name lies in no zone.
    #[error("{domain} of service {service} lies in none of the zones: add its zone")]
    NoZone {
        /// The domain.
        domain: String,
        /// The service.
        service: String,
    },
    /// A service name lies below a zone cut.
    #[error("{domain} of service {service} is delegated away by an NS record above it")]
    Delegated {
        /// The domain.
        domain: String,
        /// The service.
        service: String,
    },
    /// A service name belongs to two services, or has static addresses or an alias.
    #[error(
        "{0} is claimed twice: by two services, or by a service and by static A, AAAA or CNAME records"
    )]
    ClaimedTwice(String),
}
