//! Builds changes, with the context of the request or job that makes each change.

use std::collections::BTreeMap;

use easel_catalog::EventOrigin;
use easel_triggers::{Change, Operation, Row, Subject};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendar::to_column;
use crate::campus::Campus;
use crate::rows::{merged, row};

/// The host name of the campus.
const HOST: &str = "fjord.example.edu";

/// The actor of a change.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Actor {
    /// The user with this index, in the course with this index or in no course.
    User(usize, Option<usize>),
    /// A background job.
    Job(&'static str),
}

impl Campus {
    /// Inserts a row and records the change.
    pub(crate) fn insert_row(
        &mut self,
        when: (Timestamp, Actor),
        kind: &str,
        columns: Value,
        related: &[(&str, Row)],
    ) {
        self.registry.store(kind, &columns);
        let mut change = self.change(when, kind, Operation::Insert, related);
        change.after = Some(row(columns));
        self.record(when.0, change);
    }

    /// Changes columns of a row and its `updated_at`, if it has one, and records the change.
    pub(crate) fn update_row(
        &mut self,
        when: (Timestamp, Actor),
        (kind, id): (&'static str, u64),
        changed: Value,
        related: &[(&str, Row)],
    ) {
        let Some(before) = self.registry.get(kind, id) else {
            return;
        };
        let mut after = merged(before.clone(), changed);
        if after == before {
            return;
        }
        if before.get("updated_at").is_some() {
            after = merged(after, json!({ "updated_at": to_column(when.0) }));
        }
        self.registry.store(kind, &after);
        let mut change = self.change(when, kind, Operation::Update, related);
        change.before = Some(row(before));
        change.after = Some(row(after));
        self.record(when.0, change);
    }

    /// Deletes a row and records the change.
    pub(crate) fn delete_row(&mut self, when: (Timestamp, Actor), kind: &'static str, id: u64) {
        let Some(before) = self.registry.remove(kind, id) else {
            return;
        };
        let mut change = self.change(when, kind, Operation::Delete, &[]);
        change.before = Some(row(before));
        self.record(when.0, change);
    }

    /// Records an action that changes no row.
    pub(crate) fn record_action(
        &mut self,
        when: (Timestamp, Actor),
        action: &str,
        columns: Value,
        related: &[(&str, Row)],
    ) {
        let mut change = self.change(when, action, Operation::Act, related);
        change.after = Some(row(columns));
        self.record(when.0, change);
    }

    fn change(
        &mut self,
        (at, by): (Timestamp, Actor),
        subject: &str,
        operation: Operation,
        related: &[(&str, Row)],
    ) -> Change {
        let (origin, context) = match by {
            Actor::User(user, course) => {
                self.ensure_logged_in(at, user);
                (
                    EventOrigin::Request,
                    self.request_context(user, course, operation),
                )
            }
            Actor::Job(tag) => (EventOrigin::Job, self.job_context(tag)),
        };
        let related = related
            .iter()
            .map(|(name, row)| ((*name).to_owned(), row.clone()));
        Change {
            subject: match operation {
                Operation::Act => Subject::Action {
                    name: subject.to_owned(),
                },
                operation => Subject::Record {
                    kind: subject.to_owned(),
                    operation,
                },
            },
            before: None,
            after: None,
            related: related.collect::<BTreeMap<_, _>>(),
            origin,
            context,
            body: Row::default(),
            occurred_at: Some(at),
        }
    }

    fn request_context(&mut self, user: usize, course: Option<usize>, operation: Operation) -> Row {
        let request_id = self.rng.uuid();
        let mut context = self.root_context();
        if let Some(course) = course.and_then(|course_index| self.courses.get(course_index)) {
            let account = self.accounts.get(course.account);
            context.extend(
                row(json!({
                    "context_type": "Course",
                    "context_id": course.id,
                    "context_account_id": account.map(|account| account.id),
                    "context_sis_source_id": course.sis_id,
                }))
                .0,
            );
            let member = course.members.iter().find(|member| member.user == user);
            if let Some(member) = member {
                context.insert("context_role".to_owned(), member.role.name().into());
            }
        }
        let Some(user) = self.users.get(user) else {
            return Row(context);
        };
        let path = match course.and_then(|course_index| self.courses.get(course_index)) {
            Some(course) => format!("/courses/{}", course.id),
            None => "/".to_owned(),
        };
        let method = match operation {
            Operation::Insert => "POST",
            Operation::Update => "PUT",
            Operation::Delete => "DELETE",
            Operation::Act => "GET",
        };
        context.extend(
            row(json!({
                "user_id": user.id,
                "user_login": user.login,
                "user_account_id": self.accounts.first().map(|account| account.id),
                "user_sis_id": user.sis_id,
                "time_zone": "Europe/Oslo",
                "request_id": request_id,
                "session_id": user.session,
                "hostname": HOST,
                "http_method": method,
                "user_agent": user.agent,
                "client_ip": user.address,
                "url": format!("https://{HOST}{path}"),
                "referrer": format!("https://{HOST}/"),
            }))
            .0,
        );
        Row(context)
    }

    fn job_context(&mut self, tag: &str) -> Row {
        let mut context = self.root_context();
        let job = self.new_id();
        context.extend(row(json!({ "job_id": job, "job_tag": tag })).0);
        Row(context)
    }

    fn root_context(&self) -> serde_json::Map<String, Value> {
        let root = self.root_account_row();
        let root_entry = |name: &str, column: &str| {
            (
                name.to_owned(),
                root.get(column).cloned().unwrap_or_default(),
            )
        };
        [
            root_entry("root_account_id", "id"),
            root_entry("root_account_uuid", "uuid"),
            root_entry("root_account_lti_guid", "lti_guid"),
        ]
        .into_iter()
        .collect()
    }

    /// Returns the root account as a row.
    pub(crate) fn root_account_row(&self) -> Row {
        let Some(root) = self.accounts.first() else {
            return Row::default();
        };
        row(json!({
            "id": root.id,
            "uuid": root.uuid,
            "lti_guid": format!("{}.{HOST}", root.uuid),
            "domain": HOST,
        }))
    }
}
