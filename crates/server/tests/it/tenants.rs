//! Callers that are confined to one root account see nothing of others, at any route.
//!
//! The routes come from the OpenAPI document: a route without a row in `rows.rs` fails the test. Each row is
//! asked without a token, with one that expired, with one of too small a scope, with the token of another root
//! account, and with the right one. Rows for the Kinesis protocol, for streams and for metrics follow.

mod rows;
mod world;

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde_json::Value;

use rows::{Access, ROWS, Row};
use world::{MARKER, Things, World};

/// Returns all operations of the OpenAPI document.
async fn operations(world: &World) -> BTreeSet<String> {
    let document = world.get("/v1/openapi.json", None).await;
    let document: Value = serde_json::from_str(&document.body).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let ids = operations.filter_map(|operation| operation["operationId"].as_str());
    ids.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_the_document_has_a_row() {
    let world = World::start().await;
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(rows, operations(&world).await);
    world.close().await;
}

/// Asks one row with every kind of token.
async fn check(world: &World, row: &Row) {
    let scope = match row.access {
        Access::Public => return check_public(world, row).await,
        Access::Unlisted => return,
        Access::Server(scope)
        | Access::Shared(scope)
        | Access::Own(scope)
        | Access::Stream(scope)
        | Access::Thing(scope) => scope,
    };
    let operation = row.operation;
    let (of_a, missing) = (&world.things_of_a, &world.missing);
    let ask = async |things: &Things, token: &str| world.ask(row, things, Some(token)).await;

    let no_token = world.ask(row, of_a, None).await;
    let expired = ask(of_a, &world.a.expired).await;
    let too_small = ask(of_a, world.a.token_without(scope)).await;
    for (answer, code) in [
        (&no_token, "token_missing"),
        (&expired, "token_expired"),
        (&too_small, "scope_missing"),
    ] {
        assert_eq!(answer.json()["code"], code, "{operation}: {answer:?}");
        assert!(!answer.body.contains(MARKER), "{operation}: {answer:?}");
    }

    if let Access::Stream(_) = row.access {
        return check_stream(world, &row.path(of_a)).await;
    }
    let of_b = ask(of_a, &world.b.all).await;
    let nothing = ask(missing, &world.b.all).await;
    let neutral = [of_b.neutral(of_a), nothing.neutral(missing)];
    assert!(!neutral[0].body.contains(MARKER), "{operation}: {of_b:?}");
    match row.access {
        Access::Server(_) => {
            assert_eq!(
                of_b.json()["code"],
                "reach_too_small",
                "{operation}: {of_b:?}"
            );
            assert_eq!(
                neutral[0], neutral[1],
                "{operation}: not yours and not there"
            );
        }
        Access::Thing(_) => {
            assert_eq!(
                nothing.status,
                StatusCode::NOT_FOUND,
                "{operation}: {nothing:?}"
            );
            assert_eq!(
                neutral[0], neutral[1],
                "{operation}: not yours and not there"
            );
        }
        Access::Own(_) | Access::Shared(_) => {
            assert_eq!(of_b.status, row.success, "{operation}: {of_b:?}");
        }
        Access::Public | Access::Unlisted | Access::Stream(_) => unreachable!("returned above"),
    }
    let right = ask(of_a, world.right_token(row)).await;
    assert_eq!(right.status, row.success, "{operation}: {right:?}");
    if row.shows_marker {
        assert!(right.body.contains(MARKER), "{operation}: {right:?}");
    }
}

/// Reads the streams of A and B up to the last event of each.
async fn check_stream(world: &World, path: &str) {
    let of_b = world.stream(path, &world.b.all, "grade_of_b").await;
    assert!(of_b.body.contains("course_of_b"), "{of_b:?}");
    assert!(!of_b.body.contains(MARKER), "{of_b:?}");
    let of_a = world.stream(path, &world.a.all, MARKER).await;
    assert!(!of_a.body.contains("of_b"), "{of_a:?}");
}

async fn check_public(world: &World, row: &Row) {
    let answer = world.ask(row, &world.things_of_a, None).await;
    assert_eq!(answer.status, row.success, "{}: {answer:?}", row.operation);
    assert!(
        !answer.body.contains(MARKER),
        "{}: {answer:?}",
        row.operation
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_shows_or_changes_what_belongs_to_another_root_account() {
    let world = World::start().await;
    let before = world.state_of_a().await;
    // Rows that change things of the caller come last, so that they do not disturb the others.
    for row in ROWS.iter().filter(|row| !row.changes) {
        check(&world, row).await;
    }
    assert_eq!(world.state_of_a().await, before);
    for row in ROWS.iter().filter(|row| row.changes) {
        check(&world, row).await;
    }
    world.close().await;
}
