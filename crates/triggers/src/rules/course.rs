//! Courses, their sections, and the progress of students.

use crate::gate::Gate;
use crate::rule::TriggerRule;
use serde_json::Value;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Course", "course_created").with_gates(&[REAL]),
    TriggerRule::update("Course", "syllabus_updated").with_gates(&[REAL, SYLLABUS]),
    TriggerRule::update("Course", "course_updated").with_gates(&[REAL]),
    TriggerRule::insert("CourseSection", "course_section_created"),
    TriggerRule::update("CourseSection", "course_section_updated"),
    TriggerRule::update("ContextModuleProgression", "course_progress")
        .with_gates(&[MORE_MET, BY_ACTION]),
    TriggerRule::act("course_progress", "course_completed").with_gates(&[ALL_MET]),
    TriggerRule::act("course_progress", "course_progress").otherwise(),
];

const REAL: Gate = Gate {
    condition: "it is not the placeholder",
    closed_text: "it is the placeholder",
    needs: None,
    is_open: |ctx| !ctx.is_dummy(),
};

const SYLLABUS: Gate = Gate {
    condition: "syllabus_body changed",
    closed_text: "syllabus_body did not change",
    needs: None,
    is_open: |ctx| ctx.changed("syllabus_body"),
};

const MORE_MET: Gate = Gate {
    condition: "requirements_met grew",
    closed_text: "requirements_met did not grow",
    needs: None,
    is_open: |ctx| {
        let count = |list: Option<&Value>| list.and_then(Value::as_array).map_or(0, Vec::len);
        count(ctx.value("requirements_met")) > count(ctx.before("requirements_met"))
    },
};

const BY_ACTION: Gate = Gate {
    condition: "no change opens this gate: send the action course_progress two minutes after the last requirement was met",
    closed_text: "the action course_progress makes this event; send it two minutes after the last requirement was met",
    needs: None,
    is_open: |_| false,
};

const ALL_MET: Gate = Gate {
    condition: "all requirements are met",
    closed_text: "not all requirements are met",
    needs: None,
    is_open: |ctx| {
        let progress = ctx.value("progress");
        let member = |name| {
            progress
                .and_then(|progress| progress.get(name))
                .filter(|value| !value.is_null())
        };
        let count = |name| member(name).and_then(Value::as_u64);
        let is_met = count("requirement_completed_count") >= count("requirement_count");
        member("completed_at").is_some() || count("requirement_count") > Some(0) && is_met
    },
};
