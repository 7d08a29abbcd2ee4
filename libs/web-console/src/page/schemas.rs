//! The subjects of the registry; a subject with its versions, a schema as a table or text, and what differs between two.

use maud::{Markup, html};
use operator::subjects::SubjectSchema;
use operator::telemetry::RecordFields;

use super::pager::pager;
use crate::diff::{Change, diff};
use crate::format::{count, plural, shown};
use crate::params::{Params, link};

/// Rows of a page.
const ROWS: usize = 100;

pub(crate) fn list_page(content: &Markup, params: &Params) -> Markup {
    html! {
        h1 { "Schemas" }
        form.find role="search" action="schemas" method="get" {
            label for="q" { "Find a subject" }
            input #q type="search" name="q" value=[params.get("q")] autocomplete="off" spellcheck="false" data-find="schemas-found" data-target="rows" maxlength="100";
            button { "Find" }
        }
        div.panel #rows aria-live="polite" { (content) }
    }
}

pub(crate) fn list(subjects: &[String], all: usize, params: &Params) -> Markup {
    let page = params
        .number("page", 0, 100_000)
        .min(subjects.len().saturating_sub(1) / ROWS);
    let at = |page: usize| {
        format!(
            "schemas?{}",
            params.with("page", Some(&page.to_string())).encoded()
        )
    };
    html! {
        p.note { (plural(subjects.len(), "subject")) @if subjects.len() < all { " of " (count(all)) } }
        ul.results { @for subject in subjects.iter().skip(page * ROWS).take(ROWS) { li { a href=(link("schema", &[("subject", subject)])) { (shown(subject)) } } } }
        (pager(page, subjects.len().div_ceil(ROWS), at))
    }
}

/// A subject in one version, and what differs from another.
pub(crate) fn schema(
    schema: &SubjectSchema,
    versions: &[u32],
    other: Option<&SubjectSchema>,
    level: Option<&str>,
) -> Markup {
    let text = pretty(schema);
    let fields = RecordFields::read(&text);
    html! {
        h1 { (shown(&schema.subject)) }
        p {
            "Version " b { (schema.version) } " · id " (schema.id)
            @if let Some(level) = level { " · compatibility " (shown(level)) }
            @if let Some(topic) = schema.subject.strip_suffix("-value") { " · " a href=(link("topic", &[("name", topic)])) { "topic" } }
        }
        @if !schema.references.is_empty() {
            p {
                "Refers to"
                @for reference in &schema.references {
                    " " a href=(link("schema", &[("subject", &reference.subject), ("version", &reference.version.to_string())])) { (shown(&reference.name)) }
                }
            }
        }
        nav.row aria-label="Versions" {
            "Versions:"
            @for version in versions.iter().rev().take(50) {
                a href=(link("schema", &[("subject", &schema.subject), ("version", &version.to_string())])) aria-current=[(*version == schema.version).then_some("true")] { (version) }
            }
        }
        @if versions.len() > 1 {
            form.row action="schema" method="get" {
                input type="hidden" name="subject" value=(schema.subject);
                input type="hidden" name="version" value=(schema.version);
                label { "Compare with " select name="with" { @for version in versions.iter().rev().filter(|version| **version != schema.version) { option value=(version) selected[other.is_some_and(|other| other.version == *version)] { "version " (version) } } } }
                button { "Compare" }
            }
        }
        @if let Some(other) = other { (differences(other, schema)) }
        @if let Some(fields) = &fields { (table(fields)) }
        details.panel open[fields.is_none()] { summary { "The schema as text" } p.code { (lines(&text)) } }
    }
}

fn differences(old: &SubjectSchema, new: &SubjectSchema) -> Markup {
    let (before, after) = (pretty(old), pretty(new));
    let changes = diff(
        &before.lines().collect::<Vec<_>>(),
        &after.lines().collect::<Vec<_>>(),
    );
    html! {
        section.panel aria-labelledby="diff-title" {
            h2 #diff-title { "From version " (old.version) " to version " (new.version) }
            @if changes.iter().all(|change| matches!(change, Change::Same(_))) { p.nothing { "The same text." } }
            @else {
                div.code {
                    @for change in &changes {
                        @match change {
                            Change::Same(line) => div { "  " (shown(line)) },
                            Change::Removed(line) => div.removed { "− " (shown(line)) },
                            Change::Added(line) => div.added { "+ " (shown(line)) },
                        }
                    }
                }
            }
        }
    }
}

fn table(fields: &RecordFields) -> Markup {
    html! {
        section.panel aria-labelledby="fields-title" {
            h2 #fields-title { (shown(&fields.name)) ": " (plural(fields.fields.len(), "field")) }
            @if let Some(description) = &fields.description { p.note { (shown(description)) } }
            div.scroll tabindex="0" role="region" aria-label="Fields of the schema" {
                table {
                    thead { tr { th scope="col" { "Field" } th scope="col" { "Type" } th scope="col" { "Unit" } th scope="col" { "Description" } } }
                    tbody {
                        @for field in &fields.fields {
                            tr {
                                th scope="row" { (shown(&field.name)) }
                                td { (shown(&field.kind)) @if let Some(items) = field.items { " × " (items) } @for symbol in &field.symbols { br; small { (shown(symbol)) } } }
                                td { (field.unit.as_deref().map(shown).unwrap_or_default()) }
                                td { (field.description.as_deref().map(shown).unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn pretty(schema: &SubjectSchema) -> String {
    match &schema.schema {
        serde_json::Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

fn lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}
