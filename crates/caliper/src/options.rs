//! The settings of the translation that an operator can change.

use crate::event_template::TranslatorError;
use crate::vocabulary::Vocabulary;

/// The settings of the translation that an operator can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslationOptions {
    /// The address of the installation for events without a hostname, such as those from jobs. It
    /// is an IRI in plain ASCII.
    pub application: String,
    /// The mapping of Canvas roles to Caliper roles.
    pub roles: Vec<Role>,
}

/// The mapping of one Canvas role to Caliper roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The Canvas role, as in `context_role`.
    pub canvas: String,
    /// The part of a membership id that names the role.
    pub segment: String,
    /// The Caliper roles, the core role first.
    pub roles: Vec<String>,
}

impl Role {
    /// Checks that the segment can be part of an id, and that Caliper 1.1 has the roles.
    ///
    /// # Errors
    ///
    /// Returns [`TranslatorError::Role`] with the reason.
    pub fn check(&self) -> Result<(), TranslatorError> {
        let invalid = |fault| {
            Err(TranslatorError::Role {
                canvas: self.canvas.clone(),
                fault,
            })
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        if self.segment.is_empty() || !self.segment.chars().all(is_plain) {
            return invalid(format!(
                "the segment {:?} must be letters, digits, `_`, `.` or `-`",
                self.segment
            ));
        }
        if self.roles.is_empty() {
            return invalid("roles must not be empty".to_owned());
        }
        let caliper_roles = &Vocabulary::get().roles;
        match self.roles.iter().find(|role| !caliper_roles.contains(role)) {
            None => Ok(()),
            Some(role) => invalid(format!("{role:?} is not a role of Caliper 1.1")),
        }
    }
}

impl Default for TranslationOptions {
    fn default() -> Self {
        let role = |canvas: &str, segment: &str, roles: &[&str]| Role {
            canvas: canvas.to_owned(),
            segment: segment.to_owned(),
            roles: roles.iter().map(|&name| name.to_owned()).collect(),
        };
        Self {
            application: "http://www.canvaslms.com/".to_owned(),
            roles: vec![
                role("StudentEnrollment", "Learner", &["Learner"]),
                role("TeacherEnrollment", "Instructor", &["Instructor"]),
                role("StudentViewEnrollment", "Learner", &["Learner"]),
                role(
                    "TaEnrollment",
                    "Instructor",
                    &["Instructor", "Instructor#TeachingAssistant"],
                ),
                role(
                    "DesignerEnrollment",
                    "ContentDeveloper",
                    &["ContentDeveloper"],
                ),
                role(
                    "ObserverEnrollment",
                    "Learner",
                    &["Learner", "Learner#NonCreditLearner"],
                ),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_needs_a_plain_segment_and_known_caliper_roles() {
        let role = |segment: &str, roles: &[&str]| Role {
            canvas: "TaEnrollment".to_owned(),
            segment: segment.to_owned(),
            roles: roles.iter().map(|&name| name.to_owned()).collect(),
        };
        let error = |role: Role| role.check().unwrap_err().to_string();
        assert!(role("TA", &["Instructor"]).check().is_ok());
        assert_eq!(
            error(role("T\"A", &["Instructor"])),
            r#"the Caliper role of "TaEnrollment": the segment "T\"A" must be letters, digits, `_`, `.` or `-`"#
        );
        assert_eq!(
            error(role("TA", &["Learner\"],\"x\":[\""])),
            r#"the Caliper role of "TaEnrollment": "Learner\"],\"x\":[\"" is not a role of Caliper 1.1"#
        );
        assert_eq!(
            error(role("TA", &[])),
            r#"the Caliper role of "TaEnrollment": roles must not be empty"#
        );
    }
}
