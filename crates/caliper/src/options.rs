//! What an operator may decide about the translation.

use crate::event_template::FormError;
use crate::vocabulary::Vocabulary;

/// What an operator may decide about the translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslationOptions {
    /// The address of the installation in events that do not tell it, those from jobs; an IRI in
    /// plain ASCII.
    pub application: String,
    /// What the roles of Canvas are in Caliper.
    pub roles: Vec<Role>,
    /// Whether the values of secret parameters are masked in addresses.
    pub secrets: Secrets,
}

/// What a role of Canvas is in Caliper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role, as `context_role` has it.
    pub canvas: String,
    /// What stands for it in the name of a membership.
    pub segment: String,
    /// The terms of the standard, the core role first.
    pub roles: Vec<String>,
}

impl Role {
    /// Whether it can be written: the segment is a part of names, the roles are of the standard.
    ///
    /// # Errors
    ///
    /// [`FormError::Role`], with what is wrong.
    pub fn check(&self) -> Result<(), FormError> {
        let fault = |said| {
            Err(FormError::Role {
                canvas: self.canvas.clone(),
                said,
            })
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        if self.segment.is_empty() || !self.segment.chars().all(is_plain) {
            return fault(format!(
                "the segment {:?} is not letters, digits, and _ . - alone",
                self.segment
            ));
        }
        if self.roles.is_empty() {
            return fault("it has no roles".to_owned());
        }
        let known = &Vocabulary::get().roles;
        match self.roles.iter().find(|it| !known.contains(it)) {
            None => Ok(()),
            Some(role) => fault(format!("{role:?} is no role of Caliper 1.1")),
        }
    }
}

/// Whether the values of secret parameters, `access_token` and the like, are masked in addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They are.
    #[default]
    Masked,
    /// Addresses are sent as they are.
    Sent,
}

impl Default for TranslationOptions {
    fn default() -> Self {
        let role = |canvas: &str, segment: &str, roles: &[&str]| Role {
            canvas: canvas.to_owned(),
            segment: segment.to_owned(),
            roles: roles.iter().map(|it| (*it).to_owned()).collect(),
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
            secrets: Secrets::Masked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_letters_and_terms_of_the_standard() {
        let role = |segment: &str, roles: &[&str]| Role {
            canvas: "TaEnrollment".to_owned(),
            segment: segment.to_owned(),
            roles: roles.iter().map(|&it| it.to_owned()).collect(),
        };
        let said = |role: Role| role.check().unwrap_err().to_string();
        assert!(role("TA", &["Instructor"]).check().is_ok());
        assert_eq!(
            said(role("T\"A", &["Instructor"])),
            r#"the Caliper role of "TaEnrollment": the segment "T\"A" is not letters, digits, and _ . - alone"#
        );
        assert_eq!(
            said(role("TA", &["Learner\"],\"x\":[\""])),
            r#"the Caliper role of "TaEnrollment": "Learner\"],\"x\":[\"" is no role of Caliper 1.1"#
        );
        assert_eq!(
            said(role("TA", &[])),
            r#"the Caliper role of "TaEnrollment": it has no roles"#
        );
    }
}
