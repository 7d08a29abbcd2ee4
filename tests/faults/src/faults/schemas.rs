//! Schemas that change while data flows, as with a new release of a component: the new schema is registered
//! first, and the sender follows once the stages know it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Injected, Injection};
use crate::failure::{Failure, Outcome, until};
use crate::ledger::{Due, Stage};
use crate::traffic::Special;
use crate::world::{CHANGING, shape};
use stage::lock;

/// The number of messages with a schema that the database does not accept.
const CONFLICTS: usize = 5;
/// The field whose type changes.
const FIELD: &str = "double0";

/// Adds an item with a default.
pub(super) async fn grows(world: &mut Injection) -> Outcome<Injected> {
    rest(world).await;
    let mut schema = current(world)?;
    let fields = fields(&mut schema)?;
    let last = fields.iter().rposition(is_item).unwrap_or_default();
    let item = json!({
        "name": format!("grown{}", fields.len()), "type": "int", "default": 0,
        "sal_index": fields[last]["sal_index"].as_u64().map(|index| index + 1), "sal_idl_type": "long",
    });
    fields.insert(last + 1, item);
    let text = schema.to_string();
    let subject = world.lines[CHANGING].subject.clone();
    let Some(id) = world.registry.register(&subject, &text).await? else {
        return Err(Failure::Unexpected(format!(
            "the registry refuses a new field with a default: {text}"
        )));
    };
    until_known(world, id).await?;
    *lock(&world.changing_schema) = text;
    go_on(world)?;
    Ok(Injected::now(world, format!("{subject}, id {id}")))
}

/// Does the same, then starts a replica of each stage, which sees only the latest version.
pub(super) async fn late(world: &mut Injection) -> Outcome<Injected> {
    let grown = grows(world).await?;
    let renewed = renew_both(world).await?;
    Ok(Injected::now(world, format!("{}; {renewed} start", grown.victim)))
}

/// Adds a field of type map with a default: SAL has no text for it, so saltransform cannot use the schema.
/// The registry accepts it, the sender continues as before, and replicas start, for which it is the latest
/// version.
pub(super) async fn unusable(world: &mut Injection) -> Outcome<Injected> {
    let mut schema = current(world)?;
    fields(&mut schema)?
        .push(json!({"name": "unusable", "type": {"type": "map", "values": "int"}, "default": {}}));
    let subject = world.lines[CHANGING].subject.clone();
    let Some(id) = world.registry.register(&subject, &schema.to_string()).await? else {
        return Err(Failure::Unexpected(format!(
            "the registry refuses a new field with a default: {schema}"
        )));
    };
    until_known(world, id).await?;
    let renewed = renew_both(world).await?;
    world.wait(1_500..2_500).await;
    world.registry.delete_newest(&subject).await?;
    until_known(world, 0).await?;
    Ok(Injected::now(
        world,
        format!("{subject}, id {id}; {renewed} start"),
    ))
}

async fn renew_both(world: &mut Injection) -> Outcome<String> {
    let mut names = Vec::new();
    for stage in [Stage::Transform, Stage::Sink] {
        let victim = world.claim_replica(stage).await;
        world.terminate(&victim).await?;
        victim.restart()?;
        victim.wait_ready(&world.http, 60).await?;
        names.push(victim.name.clone());
    }
    Ok(names.join(" and "))
}

/// Changes a type: the registry refuses it, and nothing else must be affected.
pub(super) async fn refused(world: &mut Injection) -> Outcome<Injected> {
    let text = with_a_long(current(world)?)?;
    let subject = world.lines[CHANGING].subject.clone();
    if let Some(id) = world.registry.register(&subject, &text).await? {
        lock(&world.ledger).complain(format!(
            "the registry took an incompatible schema of {subject} as id {id}"
        ));
        world.registry.delete_newest(&subject).await?;
    }
    world.wait(1_500..2_500).await;
    Ok(Injected::now(world, subject))
}

/// Makes the same change with compatibility checks off: the records are valid, but the field has another type
/// in the database. They are dead letters until the old schema is back.
pub(super) async fn conflict(world: &mut Injection) -> Outcome<Injected> {
    rest(world).await;
    let text = with_a_long(current(world)?)?;
    let line = world.lines[CHANGING].clone();
    world.registry.set_compatibility(&line.subject, "NONE").await?;
    let Some(id) = world.registry.register(&line.subject, &text).await? else {
        return Err(Failure::Unexpected(
            "the registry checks compatibility although its level is NONE".to_owned(),
        ));
    };
    until_known(world, id).await?;
    world.traffic.reshape(CHANGING, shape(&text, &line.output)?, id);
    for _ in 0..CONFLICTS {
        let due = Due::Dead(Stage::Sink, &[("write", "rejected")]);
        world.traffic.send(CHANGING, &Special::due(due));
    }
    rest(world).await;
    world.registry.delete_newest(&line.subject).await?;
    world
        .registry
        .set_compatibility(&line.subject, "BACKWARD")
        .await?;
    until_known(world, 0).await?;
    go_on(world)?;
    Ok(Injected::now(
        world,
        format!("{}, {CONFLICTS} messages", line.subject),
    ))
}

/// Pauses the topic until each of its messages has its outcome: no message in the old form must meet the new
/// schema.
async fn rest(world: &Injection) {
    world.traffic.set_held(CHANGING, true);
    let upto = lock(&world.ledger).len();
    world.settle(upto, Duration::from_secs(30)).await;
}

/// From now on the topic's messages match its new schema.
fn go_on(world: &Injection) -> Outcome<()> {
    let schema = lock(&world.changing_schema).clone();
    let seed = schema.len() as u64;
    let shape = shape(&schema, &world.lines[CHANGING].output)?;
    world.traffic.reshape(CHANGING, shape, seed);
    world.traffic.set_held(CHANGING, false);
    Ok(())
}

/// Waits until the stages have queried schemas twice; each replica of saltransform does so once a second.
async fn until_known(world: &Injection, id: u64) -> Outcome<()> {
    const ROUNDS: i64 = 2;
    for place in world.replicas_of(Stage::Transform) {
        let replica = &world.replicas[place];
        let lookups = || async {
            let counts = replica.counts(&world.http).await;
            counts.map(|counts| counts.get("saltransform_schema_lookups_total"))
        };
        let before = lookups().await?;
        let enough = ROUNDS * world.lines.len() as i64;
        until(
            &format!("{} has asked for schema {id}", replica.name),
            30,
            || async {
                match lookups().await {
                    Ok(now) if now >= before + enough => Ok(()),
                    Ok(now) => Err(format!("{} look-ups", now - before)),
                    Err(error) => Err(stage::chain(&error)),
                }
            },
        )
        .await?;
    }
    Ok(())
}

fn current(world: &Injection) -> Outcome<Value> {
    serde_json::from_str(&lock(&world.changing_schema))
        .map_err(|error| Failure::Unexpected(format!("a schema that is not JSON: {error}")))
}

fn fields(schema: &mut Value) -> Outcome<&mut Vec<Value>> {
    schema["fields"]
        .as_array_mut()
        .ok_or_else(|| Failure::Unexpected("a schema without fields".to_owned()))
}

fn is_item(field: &Value) -> bool {
    field.get("sal_index").is_some() || field.get("sal_idl_type").is_some()
}

/// The schema with an integer instead of a floating-point number.
fn with_a_long(mut schema: Value) -> Outcome<String> {
    let fields = fields(&mut schema)?;
    let field = fields.iter_mut().find(|field| field["name"] == FIELD);
    let field = field.ok_or_else(|| Failure::Unexpected(format!("a schema without {FIELD}")))?;
    field["type"] = "long".into();
    field["sal_idl_type"] = "long long".into();
    Ok(schema.to_string())
}
