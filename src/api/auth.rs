//! Callers and their rights: bearer tokens with roles, of which only digests are kept.

use super::fault::Fault;
use crate::config::{Role, Token};
use crate::keys::sha256;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use std::hint::black_box;
use std::sync::Arc;

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 512;

/// The tokens that are accepted.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    tokens: Vec<Token>,
}

impl Auth {
    /// Accepts these tokens and no others. Without any, nobody gets in.
    #[must_use]
    pub(crate) const fn new(tokens: Vec<Token>) -> Self {
        Self { tokens }
    }

    /// The caller behind a presented token.
    fn caller(&self, presented: &str) -> Option<Caller> {
        if presented.is_empty() || presented.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let digest = sha256(presented).0;
        // Every token is compared to its end, whatever was found before: the time tells nothing.
        let mut found = None;
        for token in &self.tokens {
            let difference = digest
                .iter()
                .zip(&token.sha256)
                .fold(0, |seen, (a, b)| seen | (a ^ b));
            if black_box(difference) == 0 {
                found = Some(token);
            }
        }
        found.map(|token| Caller {
            name: token.name.as_str().into(),
            role: token.role,
        })
    }
}

/// A caller: the name of the token, and its role.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Name of the token: the requester in drains and in the audit log.
    pub(super) name: Arc<str>,
    /// Role that bounds the caller's rights.
    pub(super) role: Role,
}

impl Caller {
    /// Refuses callers whose role is lower than `role`.
    pub(super) fn must_be(&self, role: Role, what: &str) -> Result<(), Fault> {
        if self.role >= role {
            return Ok(());
        }
        let (have, need) = (word(self.role), word(role));
        Err(Fault::forbidden(
            format!(
                "{what} needs the role {need}; the token {:?} has the role {have}",
                self.name
            ),
            "use a token with that role, or ask whoever keeps the tokens of this control plane",
        ))
    }
}

/// A role as the configuration spells it.
const fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Rollout => "rollout",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(unauthorized)
    }
}

/// Lets a request through when its token is known and its role allows the method: reads need a
/// viewer, everything else a rollout controller. Handlers that need more ask for it themselves.
pub(super) async fn authenticate(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Fault> {
    let presented = bearer(request.headers()).ok_or_else(unauthorized)?;
    let caller = auth.caller(presented).ok_or_else(unauthorized)?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        caller.must_be(Role::Rollout, "this change")?;
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// The token of `Authorization: Bearer`, RFC 6750 section 2.1; the scheme is case-insensitive (RFC
/// 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized() -> Fault {
    metrics::counter!("watershed_api_unauthorized_total").increment(1);
    Fault::unauthorized()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(secret: &str) -> Auth {
        let token = |name: &str, role, secret: &str| Token {
            name: name.to_owned(),
            role,
            sha256: sha256(secret).0,
        };
        Auth::new(vec![
            token("other", Role::Viewer, "x"),
            token("ci", Role::Rollout, secret),
        ])
    }

    #[test]
    fn only_the_exact_token_is_known() {
        let auth = auth("secret");
        let caller = auth.caller("secret").unwrap();
        assert_eq!((&*caller.name, caller.role), ("ci", Role::Rollout));
        for wrong in ["", "Secret", "secret ", "secre", &"s".repeat(10_000)] {
            assert!(auth.caller(wrong).is_none(), "{wrong}");
        }
        assert!(Auth::default().caller("secret").is_none());
    }

    #[test]
    fn only_bearer_credentials_are_read() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            bearer(&headers).map(ToOwned::to_owned)
        };
        assert_eq!(read("bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read("abc"), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn roles_are_ordered() {
        let caller = Caller {
            name: "ci".into(),
            role: Role::Rollout,
        };
        assert!(
            caller.must_be(Role::Viewer, "x").is_ok() && caller.must_be(Role::Rollout, "x").is_ok()
        );
        assert!(
            caller.must_be(Role::Operator, "x").is_err()
                && caller.must_be(Role::Admin, "x").is_err()
        );
    }
}
