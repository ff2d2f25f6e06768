//! Changes that people and programs ask for: durable and audited before they hear that it was done.

use super::Actor;
use crate::clock::now;
use crate::control::ControlError;
use coverage::{Digest, MapVersion};
use engine::drain::{ChangeError, Drain, Request, RequestError, State};

impl Actor {
    pub(super) fn request_drain(
        &mut self,
        who: &str,
        request: Request,
    ) -> Result<Drain, ControlError> {
        let (target, reason, force) = (
            request.target.to_string(),
            request.reason.clone(),
            request.force,
        );
        let drain = self
            .engine
            .request_drain(request, now())
            .map_err(|fault| match fault {
                RequestError::Target(_) => ControlError::NotFound(fault.to_string()),
                RequestError::QueueFull(_) | RequestError::TooMany(_) => {
                    ControlError::Refused(fault.to_string(), None)
                }
                _ => ControlError::Invalid(fault.to_string()),
            })?;
        let forced = if force { " (forced)" } else { "" };
        let detail = format!("{} {target} -> {}{forced}: {reason}", drain.id, drain.state);
        self.store_change(who, "drain.request", &detail, std::slice::from_ref(&drain))?;
        if drain.state == State::Refused {
            let text = drain
                .refusal
                .as_ref()
                .map_or("refused", |refusal| refusal.text.as_str())
                .to_owned();
            return Err(ControlError::Refused(text, Some(Box::new(drain))));
        }
        Ok(drain)
    }

    pub(super) fn changed_drain(
        &mut self,
        who: &str,
        action: &str,
        changed: Result<Drain, ChangeError>,
    ) -> Result<Drain, ControlError> {
        let drain = changed.map_err(|fault| match fault {
            ChangeError::Unknown(_) => ControlError::NotFound(fault.to_string()),
            ChangeError::Ended { .. } => ControlError::Refused(fault.to_string(), None),
            ChangeError::Lease(_) => ControlError::Invalid(fault.to_string()),
        })?;
        let detail = format!("{} {} -> {}", drain.id, drain.target, drain.state);
        self.store_change(who, action, &detail, std::slice::from_ref(&drain))?;
        Ok(drain)
    }

    /// Makes a change durable and audited before anybody hears that it was done.
    fn store_change(
        &mut self,
        who: &str,
        action: &str,
        detail: &str,
        drains: &[Drain],
    ) -> Result<(), ControlError> {
        let stored = self
            .keep_drains(drains)
            .and_then(|()| Ok(self.store.audit(now(), who, action, detail)?));
        self.show_drains();
        self.event(action, format!("{who}: {detail}"));
        stored.map_err(|fault| ControlError::Unavailable(fault.to_string()))
    }

    pub(super) fn pin(&mut self, who: &str, reason: Option<String>) -> Result<(), ControlError> {
        let pins = reason.is_some();
        let unavailable = |fault: crate::store::StoreError| {
            let so_far = if pins {
                "the map is pinned until a restart, but that is not stored: "
            } else {
                "the map stays pinned: "
            };
            ControlError::Unavailable(format!("{so_far}{fault}"))
        };
        let action = if reason.is_some() {
            "map.pin"
        } else {
            "map.unpin"
        };
        let detail = reason.clone().unwrap_or_default();
        if reason.is_some() {
            // A kill switch works without a store; the answer then says that a restart will not
            // know of it.
            self.engine.pin(reason.clone());
            self.event(action, format!("{who}: {detail}"));
        }
        self.store
            .set_flag("pin", reason.as_deref())
            .map_err(unavailable)?;
        self.store
            .audit(now(), who, action, &detail)
            .map_err(unavailable)?;
        if reason.is_none() {
            // An operator who lets the map go on has looked at what it is made from.
            self.engine.trust_next_input();
            self.engine.pin(None);
            self.event(action, format!("{who}: {detail}"));
        }
        Ok(())
    }

    pub(super) fn rollback(
        &mut self,
        who: &str,
        to: Option<MapVersion>,
    ) -> Result<(), ControlError> {
        let (version, body) = self
            .publisher
            .kept(to)
            .map_err(|fault| ControlError::NotFound(format!("{fault:#}")))?;
        self.pin(who, Some(format!("rolled back to map {version}")))?;
        let published = self.put_in_service(&body, None, Digest::default(), now());
        published
            .map(|_| ())
            .map_err(|fault| ControlError::Unavailable(fault.to_string()))
    }
}
