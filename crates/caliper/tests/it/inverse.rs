//! A Canvas event that fits a Caliper one: what a form writes, read backwards.

use easel_catalog::{
    Actor, CaliperForm, Catalog, Computed, Course, EventType, Kind, Member, Part, Source,
};
use serde_json::{Map, Value, json};

const URN: &str = "urn:instructure:canvas:";

/// A Canvas event of this type from which `caliper`, an event as Canvas publishes it, is made.
pub(crate) fn canvas_of(catalog: &Catalog, of: &EventType, caliper: &Value) -> String {
    let form: CaliperForm = of.caliper.unwrap();
    let mut body = Map::new();
    read_entity(&mut body, &form.compatible.object, &caliper["object"]);
    read_entity(&mut body, &form.compatible.generated, &caliper["generated"]);
    let mut metadata = metadata(of, caliper);
    let actor = caliper["actor"]["id"].as_str().unwrap();
    if let (Actor::BodyGrader(field), Some(id)) = (
        form.actor,
        actor.strip_prefix("urn:instructure:canvas:user:"),
    ) {
        body.insert(field.to_owned(), id.into());
    }
    let course = caliper["group"]["extensions"]["com.instructure.canvas"]["entity_id"].as_str();
    match (form.course, course) {
        (Course::OfContext, Some(course)) => {
            metadata.insert("context_type".to_owned(), "Course".into());
            metadata.insert("context_id".to_owned(), course.into());
        }
        (Course::OfField(field), Some(course)) => {
            drop(body.insert(field.to_owned(), course.into()));
        }
        _ => (),
    }
    for (name, value) in &mut body {
        let field = of.body.iter().find(|it| it.name == name).unwrap();
        // Caliper has every id as a text; overrides have numbers in Canvas.
        if let (Kind::Id(id), Some(text)) = (field.kind, value.as_str())
            && id.spelling == easel_catalog::Spelling::Numeral
        {
            *value = json!(text.parse::<u64>().unwrap());
        }
    }
    assert!(catalog.get(of.name).is_some());
    json!({ "metadata": metadata, "body": body }).to_string()
}

fn metadata(of: &EventType, caliper: &Value) -> Map<String, Value> {
    let mut metadata = Map::new();
    let mut put = |name: &str, value: &Value| {
        if !value.is_null() {
            metadata.insert(name.to_owned(), value.clone());
        }
    };
    put("event_name", &of.name.into());
    put("event_time", &caliper["eventTime"]);
    put("referrer", &caliper["referrer"]);
    let actor = &caliper["actor"]["extensions"]["com.instructure.canvas"];
    for name in [
        "user_login",
        "user_sis_id",
        "root_account_id",
        "root_account_lti_guid",
        "root_account_uuid",
        "real_user_id",
    ] {
        put(name, &actor[name]);
    }
    put("user_id", &actor["entity_id"]);
    let request = &caliper["extensions"]["com.instructure.canvas"];
    for name in [
        "hostname",
        "request_id",
        "user_agent",
        "client_ip",
        "job_id",
        "job_tag",
    ] {
        put(name, &request[name]);
    }
    put("url", &request["request_url"]);
    let session = caliper["session"]["id"].as_str();
    put(
        "session_id",
        &session.map(|it| it.rsplit(':').next()).into(),
    );
    let role = match caliper["membership"]["roles"][0].as_str() {
        Some("Instructor") => "TeacherEnrollment".into(),
        Some("Learner") => "StudentEnrollment".into(),
        Some(other) => panic!("{other}"),
        None => Value::Null,
    };
    put("context_role", &role);
    metadata
}

fn read_entity(body: &mut Map<String, Value>, members: &[Member], entity: &Value) {
    for Member { key, value } in members {
        read(body, value, &entity[*key]);
    }
}

fn read(body: &mut Map<String, Value>, source: &Source, value: &Value) {
    if value.is_null() {
        return;
    }
    match source {
        Source::Constant(constant) => assert_eq!(value, constant),
        Source::OfBody(field) => {
            let before = body.insert((*field).to_owned(), value.clone());
            assert!(before.is_none_or(|it| it == *value), "{field}");
        }
        Source::OfMetadata(_) | Source::Computed(Computed::Base | Computed::GraderName) => (),
        Source::Urn(parts) => read_urn(body, parts, value.as_str().unwrap()),
        Source::Entity(members) => read_entity(body, members, value),
        Source::Array(members) => read_entity(body, members, &value[0]),
        Source::Extensions(members) => read_entity(body, members, &value["com.instructure.canvas"]),
        Source::Computed(other) => panic!("{other:?}"),
    }
}

fn read_urn(body: &mut Map<String, Value>, parts: &[Part], urn: &str) {
    let mut rest = urn.strip_prefix(URN).unwrap();
    for part in parts {
        match part {
            Part::Literal(text) => rest = rest.strip_prefix(text).unwrap(),
            Part::IdOf(_) | Part::ActorId => {
                let (id, after) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
                rest = after;
                if let Part::IdOf(field) = part {
                    body.entry(*field).or_insert(id.into());
                }
            }
            Part::AssetKind | Part::AssetList => panic!("{part:?}"),
        }
    }
    assert_eq!(rest, "");
}
