//! Server cookies in the interoperable form of RFC 9018: any server that shares the secret accepts
//! them.
//!
//! ```text
//! version 1 | reserved 0 0 0 | time, 4 octets | hash
//! hash: SipHash-2-4(client cookie, version..time, client address; secret)
//! ```

use std::net::IpAddr;

/// Octets of a client cookie.
const CLIENT_BYTES: usize = 8;
/// Octets of a server cookie before its hash.
const PLAIN_BYTES: usize = 8;
/// RFC 9018 section 4.3: a cookie older than one hour is not accepted.
const AGE_MAX_S: u32 = 3600;
/// RFC 9018 section 4.3: nor one from more than five minutes ahead.
const AHEAD_MAX_S: u32 = 300;
/// RFC 9018 section 4.3: one older than half an hour is accepted and replaced.
const FRESH_MAX_S: u32 = 1800;

/// The secrets of a site: shared by all servers that clients cannot tell apart.
#[derive(Clone)]
pub struct CookieSecrets {
    /// Signs new cookies and accepts them.
    pub current: [u8; 16],
    /// Accepts only: the last secret during a roll, or the next one.
    pub also_accepted: Option<[u8; 16]>,
    /// Treatment of a UDP question whose cookie option carries no valid server cookie.
    pub policy: CookiePolicy,
}

impl std::fmt::Debug for CookieSecrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets never reach a log.
        write!(out, "CookieSecrets {{ policy: {:?}, .. }}", self.policy)
    }
}

/// Consequence of a missing or wrong server cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePolicy {
    /// Answer as without cookies, and hand out a good one (RFC 7873 section 5.2.3).
    Lenient,
    /// BADCOOKIE over UDP, with a good cookie to come back with.
    Enforce,
}

/// Worth of a cookie in a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ours, for this client, and fresh: to be returned as it is.
    Fresh,
    /// Ours, for this client, but ageing: to be replaced.
    Ageing,
    /// Not ours, not this client's, or too old.
    Wrong,
}

impl CookieSecrets {
    /// A new server cookie for a client. `now_s`: seconds since 1970, the low 32 bits (RFC 1982
    /// arithmetic).
    #[must_use]
    pub(crate) fn issue(&self, client_cookie: [u8; 8], peer: IpAddr, now_s: u32) -> [u8; 16] {
        let [t0, t1, t2, t3] = now_s.to_be_bytes();
        sign(
            &self.current,
            client_cookie,
            [1, 0, 0, 0, t0, t1, t2, t3],
            peer,
        )
    }

    /// Judges a server cookie.
    #[must_use]
    pub fn judge(&self, client: [u8; 8], server: [u8; 16], peer: IpAddr, now_s: u32) -> Verdict {
        let [version, r0, r1, r2, t0, t1, t2, t3, ..] = server;
        let age_s = now_s.wrapping_sub(u32::from_be_bytes([t0, t1, t2, t3]));
        let in_time = age_s <= AGE_MAX_S || age_s.wrapping_neg() <= AHEAD_MAX_S;
        if version != 1 || !in_time {
            return Verdict::Wrong;
        }
        let plain = [version, r0, r1, r2, t0, t1, t2, t3];
        let matches = |secret| same(sign(secret, client, plain, peer), server);
        if matches(&self.current) {
            let fresh = age_s <= FRESH_MAX_S || age_s.wrapping_neg() <= AHEAD_MAX_S;
            return if fresh {
                Verdict::Fresh
            } else {
                Verdict::Ageing
            };
        }
        match self.also_accepted.as_ref().is_some_and(matches) {
            true => Verdict::Ageing,
            false => Verdict::Wrong,
        }
    }
}

/// Plain part and hash of a server cookie.
fn sign(secret: &[u8; 16], client: [u8; 8], plain: [u8; PLAIN_BYTES], peer: IpAddr) -> [u8; 16] {
    let mut input = [0; CLIENT_BYTES + PLAIN_BYTES + 16];
    input[..8].copy_from_slice(&client);
    input[8..16].copy_from_slice(&plain);
    let len = match peer.to_canonical() {
        IpAddr::V4(addr) => {
            input[16..20].copy_from_slice(&addr.octets());
            20
        }
        IpAddr::V6(addr) => {
            input[16..].copy_from_slice(&addr.octets());
            32
        }
    };
    let mut cookie = [0; 16];
    cookie[..8].copy_from_slice(&plain);
    cookie[8..].copy_from_slice(&siphash_2_4(secret, &input[..len]).to_le_bytes());
    cookie
}

/// Equality in a time that does not depend on where the difference is.
fn same(a: [u8; 16], b: [u8; 16]) -> bool {
    std::hint::black_box(u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)) == 0
}

/// SipHash with two compression and four finalization rounds (Aumasson and Bernstein 2012).
fn siphash_2_4(key: &[u8; 16], input: &[u8]) -> u64 {
    let (k0, k1) = key.split_at(8);
    let word = |bytes: &[u8]| {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(padded)
    };
    let (k0, k1) = (word(k0), word(k1));
    // The constants spell "somepseudorandomlygeneratedbytes".
    let mut state = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = input.as_chunks::<8>();
    let last = word(rest) | (input.len() as u64) << 56;
    for block in words
        .iter()
        .map(|bytes| u64::from_le_bytes(*bytes))
        .chain([last])
    {
        state[3] ^= block;
        rounds(&mut state, 2);
        state[0] ^= block;
    }
    state[2] ^= 0xff;
    rounds(&mut state, 4);
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

/// SipRounds, as the paper's figure 2.1 draws them.
fn rounds(state: &mut [u64; 4], count: usize) {
    let [mut v0, mut v1, mut v2, mut v3] = *state;
    for _ in 0..count {
        v0 = v0.wrapping_add(v1);
        v2 = v2.wrapping_add(v3);
        v1 = v1.rotate_left(13) ^ v0;
        v3 = v3.rotate_left(16) ^ v2;
        v0 = v0.rotate_left(32);
        v2 = v2.wrapping_add(v1);
        v0 = v0.wrapping_add(v3);
        v1 = v1.rotate_left(17) ^ v2;
        v3 = v3.rotate_left(21) ^ v0;
        v2 = v2.rotate_left(32);
    }
    *state = [v0, v1, v2, v3];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    fn secrets(hex: &str) -> CookieSecrets {
        CookieSecrets {
            current: bytes(hex),
            also_accepted: None,
            policy: CookiePolicy::Lenient,
        }
    }

    #[test]
    fn siphash_meets_the_vector_of_its_paper() {
        let key: [u8; 16] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert_eq!(siphash_2_4(&key, &key[..15]), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn cookies_meet_the_vectors_of_rfc_9018_appendix_a() {
        let secret = secrets("e5e973e5a6b2a43f48e7dc849e37bfcf");
        let peer = "198.51.100.100".parse().unwrap();
        let client = bytes("2464c4abcf10c957");
        let issued = secret.issue(client, peer, 1_559_731_985);
        assert_eq!(issued, bytes("010000005cf79f111f8130c3eee29480"));
        assert_eq!(
            secret.judge(client, issued, peer, 1_559_731_985),
            Verdict::Fresh
        );
    }

    #[test]
    fn age_client_and_secret_decide() {
        let mut secrets = secrets("000102030405060708090a0b0c0d0e0f");
        let peer: IpAddr = "2001:db8::1".parse().unwrap();
        let cookie = secrets.issue([7; 8], peer, 10_000);
        let judge = |secrets: &CookieSecrets, now_s| secrets.judge([7; 8], cookie, peer, now_s);
        assert_eq!(judge(&secrets, 11_800), Verdict::Fresh);
        assert_eq!(judge(&secrets, 11_801), Verdict::Ageing);
        assert_eq!(judge(&secrets, 13_601), Verdict::Wrong);
        assert_eq!(judge(&secrets, 9_700), Verdict::Fresh);
        assert_eq!(judge(&secrets, 9_699), Verdict::Wrong);
        let elsewhere = "2001:db8::2".parse().unwrap();
        assert_eq!(
            secrets.judge([7; 8], cookie, elsewhere, 10_000),
            Verdict::Wrong
        );
        assert_eq!(secrets.judge([8; 8], cookie, peer, 10_000), Verdict::Wrong);
        secrets.also_accepted = Some(std::mem::replace(&mut secrets.current, [9; 16]));
        assert_eq!(
            judge(&secrets, 10_001),
            Verdict::Ageing,
            "accepted through a roll, replaced"
        );
        secrets.also_accepted = None;
        assert_eq!(judge(&secrets, 10_001), Verdict::Wrong);
    }
}
