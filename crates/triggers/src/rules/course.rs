//! Courses, their sections, and the progress of students.

use crate::gate::Gate;
use crate::rule::TriggerRule;
use serde_json::Value;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Course", "course_created").behind(&[REAL]),
    TriggerRule::update("Course", "syllabus_updated").behind(&[REAL, SYLLABUS]),
    TriggerRule::update("Course", "course_updated").behind(&[REAL]),
    TriggerRule::insert("CourseSection", "course_section_created"),
    TriggerRule::update("CourseSection", "course_section_updated"),
    TriggerRule::update("ContextModuleProgression", "course_progress")
        .behind(&[MORE_MET, BY_ACTION]),
    TriggerRule::act("course_progress", "course_completed").behind(&[ALL_MET]),
    TriggerRule::act("course_progress", "course_progress").or_else(),
];

const REAL: Gate = Gate {
    opens: "it is not the placeholder",
    closed: "it is the placeholder",
    needs: None,
    is_open: |ctx| !ctx.is_dummy(),
};

const SYLLABUS: Gate = Gate {
    opens: "syllabus_body changed",
    closed: "syllabus_body did not change",
    needs: None,
    is_open: |ctx| ctx.changed("syllabus_body"),
};

const MORE_MET: Gate = Gate {
    opens: "requirements_met grew",
    closed: "requirements_met did not grow",
    needs: None,
    is_open: |ctx| {
        let count = |list: Option<&Value>| list.and_then(Value::as_array).map_or(0, Vec::len);
        count(ctx.value("requirements_met")) > count(ctx.before("requirements_met"))
    },
};

const BY_ACTION: Gate = Gate {
    opens: "never; send the action course_progress two minutes after the last requirement was met",
    closed: "the action course_progress makes this event; send it two minutes after the last requirement was met",
    needs: None,
    is_open: |_| false,
};

const ALL_MET: Gate = Gate {
    opens: "all requirements are met",
    closed: "not all requirements are met",
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
