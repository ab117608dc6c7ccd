//! Confines the events of a sender to its root account.
//!
//! A confined sender may send only events of its own root account. An event that names another one is
//! rejected. An event that names none belongs to the root account of its sender.

use std::sync::Arc;

use crate::event::event_id_of;
use crate::fault_code::FaultCode;
use crate::flaw::Flaw;
use crate::object_members::string_or_number;
use crate::scanner::{Container, Scanner};
use crate::{Event, Fault, Reach, RootAccount};

/// The key of the root account's id in the metadata.
const ID: &str = "root_account_id";
/// The key of the root account's UUID in the metadata.
const UUID: &str = "root_account_uuid";

impl Event {
    /// Returns the event as one of a sender with this reach. `sent` are the bytes from which it was admitted.
    ///
    /// A reach with an id checks the `root_account_id`, and a reach with a UUID checks the
    /// `root_account_uuid`. The other member cannot be checked, so it says nothing about whose the event is.
    /// If only this other member is there, the event is rejected.
    ///
    /// Two senders may send the same event without a root account. These are two events: the id of each is
    /// derived from its bytes and from the reach.
    ///
    /// # Errors
    ///
    /// Fails with [`FaultCode::OutOfReach`] if the event names another root account.
    pub fn confine(self, reach: &Reach, sent: &[u8]) -> Result<Self, Fault> {
        let Some(account) = reach.root_account() else {
            return Ok(self);
        };
        let (own, other) = if account.is_id() {
            ((ID, &self.root_account_id), (UUID, &self.root_account_uuid))
        } else {
            ((UUID, &self.root_account_uuid), (ID, &self.root_account_id))
        };
        let is_unnamed = match (own.1.as_deref(), other.1.as_deref()) {
            (Some(named), _) if named == account.as_str() => false,
            (Some(named), _) => return Err(foreign(sent, own.0, named, account)),
            (None, Some(named)) => return Err(foreign(sent, other.0, named, account)),
            (None, None) => true,
        };
        let (id, uuid) = if account.is_id() {
            (Some(Arc::from(account.as_str())), None)
        } else {
            (None, Some(Arc::from(account.as_str())))
        };
        Ok(Self {
            id: if is_unnamed {
                event_id_of(&[&self.bytes, reach.to_string().as_bytes()])
            } else {
                self.id
            },
            root_account_id: id,
            root_account_uuid: uuid,
            ..self
        })
    }
}

fn foreign(sent: &[u8], member: &'static str, named: &str, account: &RootAccount) -> Fault {
    let message = format!(
        "`{member}` is {named:?}, and this sender may send only events of the root account {account}"
    );
    let byte = value_of(sent, member.as_bytes()).unwrap_or(None);
    Flaw::new(FaultCode::OutOfReach, byte.unwrap_or(0), message).in_input(sent)
}

/// Returns the byte at which the value of this member of the metadata begins.
fn value_of(sent: &[u8], wanted: &[u8]) -> Result<Option<usize>, Flaw> {
    let mut scanner = Scanner::new(sent, usize::MAX);
    scanner.begin()?;
    let mut found = None;
    let mut has_member = scanner.enter(Container::Object)?;
    while has_member {
        let key = scanner.key()?;
        scanner.colon()?;
        if matches!(&*key.bytes(), b"metadata" | b"attributes") {
            let mut has_entry = scanner.enter(Container::Object)?;
            while has_entry {
                let key = scanner.key()?;
                scanner.colon()?;
                scanner.peek();
                let start = scanner.at();
                if string_or_number(&mut scanner)?.is_some() && &*key.bytes() == wanted {
                    found = Some(start);
                }
                has_entry = scanner.advance()?;
            }
        } else {
            scanner.value()?;
        }
        has_member = scanner.advance()?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, admit};

    fn confine(metadata: &str, account: &str) -> Result<Event, Fault> {
        let sent = format!(
            r#"{{"body":{{}}, "attributes":{{"event_name":"x","event_time":"2019-11-05T07:38:00Z"{metadata}}}}}"#
        );
        let event = admit(sent.as_bytes(), &Limits::default()).unwrap();
        let reach: Reach = format!("root_account:{account}").parse().unwrap();
        event.confine(&reach, sent.as_bytes())
    }

    #[track_caller]
    fn check_refused(metadata: &str, account: &str, member: &str) {
        let fault = confine(metadata, account).unwrap_err();
        assert_eq!(fault.code, FaultCode::OutOfReach);
        assert!(fault.message().contains(account), "{fault}");
        assert_eq!(fault.at.path, format!("/attributes/{member}"), "{fault}");
    }

    #[test]
    fn an_event_of_another_root_account_is_rejected_with_its_place() {
        check_refused(r#","root_account_id":"8""#, "7", "root_account_id");
        check_refused(r#","root_account_id": 8"#, "7", "root_account_id");
        check_refused(r#","root_account_uuid":"b""#, "a", "root_account_uuid");
        check_refused(
            r#","root_account_uuid":"7","root_account_id":"8""#,
            "7",
            "root_account_id",
        );
    }

    #[test]
    fn an_event_that_names_its_account_only_in_the_other_way_is_rejected() {
        check_refused(r#","root_account_uuid":"a""#, "7", "root_account_uuid");
        check_refused(r#","root_account_id":"7""#, "a", "root_account_id");
    }

    #[test]
    fn an_event_of_the_own_root_account_belongs_to_it_alone() {
        let event = confine(r#","root_account_id":7,"root_account_uuid":"b""#, "7").unwrap();
        assert_eq!(event.root_account_id.as_deref(), Some("7"));
        assert_eq!(event.root_account_uuid, None, "nobody has checked the UUID");
        assert_eq!(event.id, crate::event_id(&event.bytes));
        let event = confine(r#","root_account_id":7,"root_account_uuid":"b""#, "b").unwrap();
        assert_eq!(event.root_account_uuid.as_deref(), Some("b"));
        assert_eq!(event.root_account_id, None, "nobody has checked the id");
    }

    #[test]
    fn an_event_without_a_root_account_is_another_event_for_each_sender() {
        let (first, second) = (confine("", "7").unwrap(), confine("", "8").unwrap());
        assert_eq!(first.root_account_id.as_deref(), Some("7"));
        assert_eq!(second.root_account_id.as_deref(), Some("8"));
        let ids = [first.id, second.id, crate::event_id(&first.bytes)];
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(confine("", "7").unwrap().id, first.id);
    }

    #[test]
    fn a_sender_for_everything_changes_nothing() {
        let sent =
            br#"{"metadata":{"event_name":"x","event_time":"2019-11-05T07:38:00Z"},"body":{}}"#;
        let event = admit(sent, &Limits::default()).unwrap();
        assert_eq!(
            event.clone().confine(&Reach::Everything, sent).unwrap(),
            event
        );
    }
}
