//! Courses, their sections, and how far students are in them.

use crate::gate::Gate;
use crate::rule::TriggerRule;
use serde_json::Value;

pub(super) const RULES: &[TriggerRule] = &[
    TriggerRule::insert("Course", "course_created").behind(&[REAL]),
    TriggerRule::update("Course", "syllabus_updated").behind(&[REAL, SYLLABUS]),
    TriggerRule::update("Course", "course_updated").behind(&[REAL]),
    TriggerRule::insert("CourseSection", "course_section_created"),
    TriggerRule::update("CourseSection", "course_section_updated"),
    TriggerRule::update("ContextModuleProgression", "course_progress").behind(&[MORE_MET, LATER]),
    TriggerRule::act("course_progress", "course_completed").behind(&[ALL_MET]),
    TriggerRule::act("course_progress", "course_progress").or_else(),
];

const REAL: Gate = Gate {
    opens: "it is not the placeholder",
    closed: "it is the placeholder",
    needs: None,
    is_open: |scene| !scene.is_dummy(),
};

const SYLLABUS: Gate = Gate {
    opens: "syllabus_body changed",
    closed: "syllabus_body did not change",
    needs: None,
    is_open: |scene| scene.changed("syllabus_body"),
};

const MORE_MET: Gate = Gate {
    opens: "requirements_met grew",
    closed: "requirements_met did not grow",
    needs: None,
    is_open: |scene| {
        let count = |them: Option<&Value>| them.and_then(Value::as_array).map_or(0, Vec::len);
        count(scene.value("requirements_met")) > count(scene.before("requirements_met"))
    },
};

const LATER: Gate = Gate {
    opens: "never: send the action `course_progress` two minutes after the last was met",
    closed: "this is told by the action course_progress, to be sent two minutes after the last was met; no timer is kept",
    needs: None,
    is_open: |_| false,
};

const ALL_MET: Gate = Gate {
    opens: "all requirements are met",
    closed: "not all requirements are met",
    needs: None,
    is_open: |scene| {
        let progress = scene.value("progress");
        let of = |name| {
            progress
                .and_then(|it| it.get(name))
                .filter(|it| !it.is_null())
        };
        let count = |name| of(name).and_then(Value::as_u64);
        let is_met = count("requirement_completed_count") >= count("requirement_count");
        of("completed_at").is_some() || count("requirement_count") > Some(0) && is_met
    },
};
