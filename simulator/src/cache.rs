//! Cache of a resolver: answers by the client prefix they hold for.

use std::net::IpAddr;

/// A prefix of either family; bits after the length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix {
    addr: IpAddr,
    len: u8,
}

impl Prefix {
    /// The prefix of an address; a length beyond the family's is cut to it.
    #[must_use]
    pub(crate) fn new(addr: IpAddr, len: u8) -> Self {
        let len = len.min(if addr.is_ipv4() { 32 } else { 128 });
        Self {
            addr: network(addr, len),
            len,
        }
    }

    /// First address.
    #[must_use]
    pub(crate) const fn addr(self) -> IpAddr {
        self.addr
    }

    /// Length in bits.
    #[must_use]
    pub(crate) const fn len(self) -> u8 {
        self.len
    }

    /// Tells whether an address lies in it; never across families.
    #[must_use]
    pub(crate) fn covers(self, addr: IpAddr) -> bool {
        addr.is_ipv4() == self.addr.is_ipv4() && network(addr, self.len) == self.addr
    }
}

/// The address with all bits after the first `len` cleared.
fn network(addr: IpAddr, len: u8) -> IpAddr {
    let len = u32::from(len);
    match addr {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(len))
                .unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(len))
                .unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

/// For which clients an answer may be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// For all clients, of either family.
    Everyone,
    /// For the clients in a prefix.
    Within(Prefix),
}

impl Validity {
    /// Returns what an answer holds for that was asked with `source` and came back with a scope
    /// length, or without the option.
    #[must_use]
    pub(crate) fn of(source: Prefix, scope: Option<u8>) -> Self {
        match scope {
            // RFC 7871 section 7.3: no option in the response is as if the scope were 0. Section
            // 7.3.1: scope 0 is suitable for all clients.
            None | Some(0) => Self::Everyone,
            // Section 7.3.1: a scope longer than the source is cached under the source, all that
            // the resolver knows of.
            Some(scope) => Self::Within(Prefix::new(source.addr, scope.min(source.len))),
        }
    }

    fn covers(self, addr: IpAddr) -> bool {
        match self {
            Self::Everyone => true,
            Self::Within(prefix) => prefix.covers(addr),
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Everyone => 0,
            Self::Within(prefix) => prefix.len,
        }
    }
}

#[derive(Clone, Debug)]
struct Entry<T> {
    validity: Validity,
    expires_at_ms: u64,
    value: T,
}

/// The answers of one resolver for one name and type.
#[derive(Clone, Debug)]
pub(crate) struct ScopeCache<T> {
    entries: Vec<Entry<T>>,
    entries_max: usize,
}

impl<T: Clone> ScopeCache<T> {
    /// An empty cache for at most `entries_max` answers, and at least one.
    #[must_use]
    pub(crate) const fn new(entries_max: usize) -> Self {
        let entries_max = if entries_max == 0 { 1 } else { entries_max };
        Self {
            entries: Vec::new(),
            entries_max,
        }
    }

    /// The answer for a client at a time: the most specific one that covers it and has not expired.
    /// O(entries).
    #[must_use]
    pub(crate) fn get(&self, client: IpAddr, now_ms: u64) -> Option<&T> {
        let usable =
            |entry: &&Entry<T>| now_ms < entry.expires_at_ms && entry.validity.covers(client);
        let entry = self
            .entries
            .iter()
            .filter(usable)
            .max_by_key(|entry| entry.validity.bits())?;
        Some(&entry.value)
    }

    /// Remembers an answer until a time. It replaces the one for the same clients; a full cache
    /// loses what expires first.
    pub(crate) fn insert(&mut self, validity: Validity, value: T, now_ms: u64, expires_at_ms: u64) {
        self.entries
            .retain(|entry| entry.validity != validity && now_ms < entry.expires_at_ms);
        if self.entries.len() >= self.entries_max {
            let first =
                (0..self.entries.len()).min_by_key(|index| self.entries[*index].expires_at_ms);
            first.map(|index| self.entries.swap_remove(index));
        }
        self.entries.push(Entry {
            validity,
            expires_at_ms,
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(text: &str) -> Prefix {
        let (addr, len) = text.split_once('/').unwrap();
        Prefix::new(addr.parse().unwrap(), len.parse().unwrap())
    }

    #[test]
    fn an_answer_serves_its_scope_and_no_one_else() {
        let mut cache = ScopeCache::new(8);
        cache.insert(
            Validity::of(prefix("198.51.100.0/24"), Some(22)),
            'a',
            0,
            100,
        );
        let at = |addr: &str, now_ms| cache.get(addr.parse().unwrap(), now_ms).copied();
        assert_eq!(at("198.51.103.9", 50), Some('a'), "same /22");
        assert_eq!(at("198.51.104.9", 50), None, "next /22");
        assert_eq!(at("198.51.100.9", 100), None, "expired");
        assert_eq!(at("::ffff:0:1", 50), None, "other family");
    }

    #[test]
    fn scope_zero_and_no_option_serve_everyone() {
        for scope in [None, Some(0)] {
            assert_eq!(
                Validity::of(prefix("198.51.100.0/24"), scope),
                Validity::Everyone
            );
        }
    }

    #[test]
    fn a_scope_longer_than_the_source_is_cut_to_it() {
        let source = prefix("198.51.100.0/24");
        assert_eq!(Validity::of(source, Some(32)), Validity::Within(source));
    }

    #[test]
    fn the_most_specific_answer_wins_and_a_full_cache_stays_bounded() {
        let mut cache = ScopeCache::new(2);
        cache.insert(Validity::Everyone, 0, 0, 50);
        cache.insert(Validity::Within(prefix("10.0.0.0/8")), 8, 0, 100);
        assert_eq!(cache.get("10.1.2.3".parse().unwrap(), 10), Some(&8));
        cache.insert(Validity::Within(prefix("10.1.0.0/16")), 16, 10, 100);
        assert_eq!(cache.entries.len(), 2);
        assert_eq!(
            cache.get("11.1.2.3".parse().unwrap(), 20),
            None,
            "the first to expire left"
        );
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_of_all_answers(
            inserts in proptest::collection::vec((any::<u32>(), 0_u8..=32, 1_u64..60), 1..30),
            asked in any::<u32>(),
            pick in any::<proptest::sample::Index>(),
        ) {
            let mut cache = ScopeCache::new(1_000);
            let mut model: Vec<(Validity, u64, usize)> = Vec::new();
            let mut now_ms = 0;
            for (index, (addr, scope, ttl_ms)) in inserts.iter().enumerate() {
                now_ms += 5;
                let validity = Validity::of(Prefix::new(IpAddr::V4((*addr).into()), 24), Some(*scope));
                cache.insert(validity, index, now_ms, now_ms + ttl_ms);
                model.retain(|(old, ..)| *old != validity);
                model.push((validity, now_ms + ttl_ms, index));
            }
            // Half of the questions come from near a known prefix, or most would miss.
            let near = inserts[pick.index(inserts.len())].0 ^ (asked & 0x3ff);
            for client in [asked, near] {
                let client = IpAddr::V4(client.into());
                let expected = model.iter()
                    .filter(|(validity, until, _)| now_ms < *until && validity.covers(client))
                    .max_by_key(|(validity, ..)| validity.bits());
                prop_assert_eq!(cache.get(client, now_ms), expected.map(|(.., value)| value));
            }
        }
    }
}
