//! The event types of the catalogue, by category, for a form in which somebody selects them.

use easel_catalog::Catalog;
use serde_json::{Map, Value, json};

use crate::service_error::ServiceError;

/// Returns an object with a list of event types for each category. For messages in Caliper, it has only the
/// types with a Caliper form.
pub(crate) fn event_types(
    catalog: &Catalog,
    message_type: Option<&str>,
) -> Result<Value, ServiceError> {
    let is_caliper = match message_type {
        None | Some("live-event") => false,
        Some("caliper") => true,
        Some(_) => {
            let fault = "message_type must be `live-event` or `caliper`";
            return Err(ServiceError::Invalid(fault.to_owned()));
        }
    };
    let mut categories = Map::new();
    let types = catalog.types().iter();
    for event_type in types.filter(|event_type| !is_caliper || event_type.caliper.is_some()) {
        let names = categories
            .entry(event_type.category)
            .or_insert_with(|| json!([]));
        if let Value::Array(names) = names {
            names.push(event_type.name.into());
        }
    }
    Ok(categories.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_type_is_in_its_category() {
        let catalog = Catalog::built_in();
        let all = event_types(&catalog, Some("live-event")).unwrap();
        let count = |all: &Value| {
            let lists = all.as_object().unwrap().values();
            lists.map(|list| list.as_array().unwrap().len()).sum()
        };
        let total: usize = count(&all);
        assert_eq!(total, catalog.types().len());
        assert_eq!(
            all["grade"],
            json!(["course_grade_change", "grade_change", "grade_override"])
        );
        let caliper = event_types(&catalog, Some("caliper")).unwrap();
        let with_form: usize = count(&caliper);
        assert!(with_form > 0 && with_form < total);
        event_types(&catalog, Some("xml")).unwrap_err();
    }
}
