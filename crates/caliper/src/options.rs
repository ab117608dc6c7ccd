//! What an operator may decide about the translation.

/// What an operator may decide about the translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
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

/// Whether the values of secret parameters, `access_token` and the like, are masked in addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They are.
    #[default]
    Masked,
    /// Addresses are sent as they are.
    Sent,
}

impl Default for Options {
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
