//! The topics, a page at a time; offsets are asked for only of the rows in sight.

use maud::{Markup, html};
use operator::topics::TopicOffsets;

use super::pager::pager;
use crate::format::{count, plural, topic_name};
use crate::params::{Params, link};

/// Rows of a page.
pub(crate) const ROWS: usize = 50;

/// A topic in a line.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) partitions: usize,
    pub(crate) replication: usize,
    /// Partitions with a copy that is behind, and those without a leader.
    pub(crate) behind: usize,
    pub(crate) leaderless: usize,
    pub(crate) offsets: Option<TopicOffsets>,
}

/// The rows of one page, and how many there are.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) matching: usize,
    pub(crate) all: usize,
    pub(crate) page: usize,
}

pub(crate) fn page(rows: &Markup, params: &Params) -> Markup {
    html! {
        h1 { "Topics" }
        form.find role="search" action="topics" method="get" {
            label for="q" { "Find a topic" }
            input #q type="search" name="q" value=[params.get("q")] placeholder="MTMount azimuth" autocomplete="off" spellcheck="false"
                data-find="topics-found" data-target="rows" maxlength="100";
            label.check { input type="checkbox" name="internal" value="1" checked[params.get("internal").is_some()]; " internal topics, too" }
            button { "Find" }
        }
        div.panel #rows aria-live="polite" { (rows) }
    }
}

pub(crate) fn table(found: &Rows, params: &Params) -> Markup {
    let pages = found.matching.div_ceil(ROWS).max(1);
    let at = |page: usize| {
        format!(
            "topics?{}",
            params.with("page", Some(&page.to_string())).encoded()
        )
    };
    html! {
        p.note { (plural(found.matching, "topic")) @if found.matching < found.all { " of " (count(found.all)) } }
        div.scroll tabindex="0" role="region" aria-label="Topics" {
            table {
                thead {
                    tr {
                        th scope="col" { "Topic" } th.number scope="col" { "Partitions" } th.number scope="col" { "Copies" }
                        th.number scope="col" { "Messages" } th scope="col" { "State" }
                    }
                }
                tbody {
                    @for row in &found.rows {
                        tr {
                            th scope="row" { a href=(link("topic", &[("name", &row.name)])) { (topic_name(&row.name)) } }
                            td.number { (count(row.partitions)) }
                            td.number { (count(row.replication)) }
                            td.number { (row.offsets.as_ref().map_or_else(|| crate::format::UNKNOWN.to_owned(), |offsets| count(offsets.total))) }
                            td {
                                @if row.leaderless > 0 { span.dot.bad {} (plural(row.leaderless, "partition")) " without a leader" }
                                @else if row.behind > 0 { span.dot.warning {} (plural(row.behind, "partition")) " with a copy behind" }
                                @else { span.dot.good {} "complete" }
                            }
                        }
                    }
                }
            }
        }
        (pager(found.page, pages, at))
    }
}
