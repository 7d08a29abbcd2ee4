//! The consumer groups with their lag and its course; a group with its partitions and members; and its reset, planned first.

use maud::{Markup, html};
use operator::groups::{GroupDescription, Reset};
use operator::stages::NOTABLE_LAG;

use super::pager::pager;
use super::sparkline::sparkline;
use crate::access::User;
use crate::format::{UNKNOWN, count, plural, shown, span, topic_name};
use crate::live::{GroupView, Overview};
use crate::params::{Params, link};

/// Partitions of a page.
const MAX_PARTITIONS: usize = 300;
/// Groups of a page.
const MAX_GROUPS: usize = 100;

pub(crate) fn list_page(view: &Overview, params: &Params) -> Markup {
    html! {
        h1 { "Consumer groups" }
        form.find role="search" action="groups" method="get" {
            label for="q" { "Find a group" }
            input #q type="search" name="q" value=[params.get("q")] autocomplete="off" spellcheck="false" maxlength="100";
            button { "Find" }
        }
        div.panel #groups { (list(view, params)) }
    }
}

/// The part that moves: the groups that are searched for, a page of them.
pub(crate) fn list(view: &Overview, params: &Params) -> Markup {
    let words = params.words();
    let found: Vec<&GroupView> = view
        .groups
        .iter()
        .filter(|group| words.all_in(&group.name))
        .collect();
    let page = params
        .number("page", 0, 100_000)
        .min(found.len().saturating_sub(1) / MAX_GROUPS);
    let at = |page: usize| {
        format!(
            "groups?{}",
            params.with("page", Some(&page.to_string())).encoded()
        )
    };
    html! {
        @if let Some(why) = &view.brokers_away { p.problem { (shown(why)) } }
        @if view.groups.is_empty() { p.nothing { (no_groups(view)) } }
        @else {
            p.note { (plural(found.len(), "group")) @if found.len() < view.groups.len() { " of " (count(view.groups.len())) } }
            div.scroll tabindex="0" role="region" aria-label="Consumer groups" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Group" } th scope="col" { "State" } th.number scope="col" { "Members" }
                            th.number scope="col" { "Lag" } th.number scope="col" { "Time" } th scope="col" { "Lag, last hour" }
                        }
                    }
                    tbody {
                        @for group in found.iter().skip(page * MAX_GROUPS).take(MAX_GROUPS) {
                            tr .is-behind[group.lag >= NOTABLE_LAG] {
                                th scope="row" { a href=(link("group", &[("name", &group.name)])) { (shown(&group.name)) } }
                                td { (group.state.word()) }
                                td.number { (group.members.map_or_else(|| UNKNOWN.to_owned(), count)) }
                                td.number { (count(group.lag)) }
                                td.number { (span(group.seconds)) }
                                td.course { @if let Some(course) = &group.course { (sparkline(course)) } }
                            }
                        }
                    }
                }
            }
            (pager(page, found.len().div_ceil(MAX_GROUPS), at))
        }
    }
}

/// What stands where no groups are listed.
fn no_groups(view: &Overview) -> &'static str {
    if view.lists_no_groups {
        "This broker does not list consumer groups. The overview shows the lag of the stages."
    } else {
        "No consumer groups."
    }
}

/// A group, as the brokers describe it and as the console has watched it; with somebody who may, the form that moves it.
pub(crate) fn group(group: &GroupDescription, watched: Option<&GroupView>, user: Option<&User>) -> Markup {
    html! {
        h1 { (shown(&group.group)) }
        p {
            (group.state.word()) " · lag " b { (count(group.lag)) }
            @if let Some(seconds) = watched.and_then(|watched| watched.seconds) { ", " (span(Some(seconds))) }
            @if !group.assignor.is_empty() { " · " (shown(&group.assignor)) }
        }
        @if let Some(course) = watched.and_then(|watched| watched.course.as_ref()) {
            p.course { "Lag, last hour " (sparkline(course)) }
        }
        @if let Some(user) = user { (reset_form(&group.group, user)) }
        section.panel aria-labelledby="partitions-title" {
            h2 #partitions-title { "Partitions" }
            div.scroll tabindex="0" role="region" aria-label="Partitions of the group" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Topic" } th.number scope="col" { "Partition" } th.number scope="col" { "Committed" }
                            th.number scope="col" { "End" } th.number scope="col" { "Lag" } th scope="col" { "Member" }
                        }
                    }
                    tbody {
                        @for row in group.partitions.iter().take(MAX_PARTITIONS) {
                            tr .is-behind[row.lag.is_some_and(|lag| lag >= NOTABLE_LAG)] {
                                th scope="row" { a href=(link("topic", &[("name", &row.topic)])) { (topic_name(&row.topic)) } }
                                td.number { (row.partition) }
                                td.number { (row.committed.map_or_else(|| UNKNOWN.to_owned(), count)) }
                                td.number { (count(row.newest)) }
                                td.number { (row.lag.map_or_else(|| UNKNOWN.to_owned(), count)) }
                                td { (row.client.as_deref().map(shown).unwrap_or_default()) @if let Some(host) = &row.host { small { " " (shown(host)) } } }
                            }
                        }
                    }
                }
            }
            @if group.partitions.len() > MAX_PARTITIONS { p.note { "and " (count(group.partitions.len() - MAX_PARTITIONS)) " more" } }
        }
        @if let Some(members) = group.members.as_ref().filter(|members| !members.is_empty()) {
            section.panel aria-labelledby="members-title" {
                h2 #members-title { (plural(members.len(), "member")) }
                div.scroll tabindex="0" role="region" aria-label="Members of the group" {
                    table {
                        thead { tr { th scope="col" { "Client" } th scope="col" { "Host" } th.number scope="col" { "Partitions" } th scope="col" { "Id" } } }
                        tbody {
                            @for member in members {
                                tr { th scope="row" { (shown(&member.client)) } td { (shown(&member.host)) } td.number { (member.partitions) } td.code.id { (shown(&member.id)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reset_form(group: &str, user: &User) -> Markup {
    html! {
        form.panel.row action="group-plan" method="post" {
            (form_token(user))
            input type="hidden" name="name" value=(group);
            label { "Move to " input name="to" value="earliest" list="targets" size="24"; }
            datalist #targets { option value="earliest" {} option value="latest" {} option value="datetime=-1h" {} option value="shift=-100" {} option value="offset=0" {} }
            label { "only in topic " input name="topic" size="30"; }
            button.plain { "Plan a reset" }
            p.note { "The plan is shown first; nothing is changed by it. The group must have no members when it is moved." }
        }
    }
}

/// The step that follows a plan.
pub(crate) struct Next {
    /// Under which the plan is kept.
    pub(crate) id: String,
    pub(crate) is_known: Known,
}

/// Whether an earlier plan was to be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// This one is the first.
    No,
    /// The earlier one is no longer kept.
    Forgotten,
}

/// What stands above a plan that takes the place of one that was shown before.
pub(crate) fn forgotten(next: &Next) -> Markup {
    html! {
        @if next.is_known == Known::Forgotten {
            p.problem role="status" { "Nothing has been changed: the plan that you were shown can no longer be carried out. This is the plan as of now." }
        }
    }
}

/// What a reset will do, or has done.
pub(crate) fn reset(reset: &Reset, next: Option<&Next>, params: &Params, user: &User) -> Markup {
    let text = |name: &str| params.get(name).unwrap_or_default();
    html! {
        h1 { @if reset.executed { "Moved " } @else { "Plan: move " } (shown(&reset.group)) }
        @if reset.executed {
            p.done role="status" { (plural(reset.moves.iter().filter(|row| row.moved == Some(true)).count(), "partition")) " of " (count(reset.moves.len())) " moved." }
        }
        @if let Some(next) = next {
            (forgotten(next))
            form.panel action="group-reset" method="post" {
                (form_token(user))
                input type="hidden" name="plan" value=(next.id);
                @for name in ["name", "to", "topic"] { input type="hidden" name=(name) value=(text(name)); }
                p { "This moves " b { (plural(reset.moves.len(), "partition")) } " of the group " b { (shown(&reset.group)) } " to " b { (shown(text("to"))) } ". Messages before the new offsets are not read, and those after them are read again." }
                p.row { button.danger { "Move the group" } a href=(link("group", &[("name", &reset.group)])) { "Leave it as it is" } }
            }
        }
        div.panel.scroll tabindex="0" role="region" aria-label="Moves" {
            table {
                thead {
                    tr {
                        th scope="col" { "Topic" } th.number scope="col" { "Partition" } th.number scope="col" { "From" } th.number scope="col" { "To" }
                        th.number scope="col" { "Lag before" } th.number scope="col" { "Lag after" } th scope="col" { "State" }
                    }
                }
                tbody {
                    @for row in reset.moves.iter().take(MAX_PARTITIONS) {
                        tr {
                            th scope="row" { (topic_name(&row.planned.topic)) }
                            td.number { (row.planned.partition) }
                            td.number { (row.planned.from.map_or_else(|| UNKNOWN.to_owned(), count)) }
                            td.number { (count(row.planned.to)) }
                            td.number { (row.planned.lag_before.map_or_else(|| UNKNOWN.to_owned(), count)) }
                            td.number { (count(row.planned.lag_after)) }
                            td { @match row.moved { Some(true) => "moved", Some(false) => "not moved", None => "" } }
                        }
                    }
                }
            }
        }
    }
}

/// What a form of a user's has to hold.
pub(crate) fn form_token(user: &User) -> Markup {
    html! { input type="hidden" name="form_token" value=(user.form_token); }
}

#[cfg(test)]
mod tests {
    use operator::groups::GroupState;

    use super::*;

    fn overview(groups: usize) -> Overview {
        let group = |number: usize| GroupView {
            name: format!(
                "{}-{number:03}",
                if number.is_multiple_of(2) {
                    "saltransform"
                } else {
                    "influxsink"
                }
            ),
            state: GroupState::Stable,
            members: Some(1),
            lag: 0,
            seconds: None,
            course: None,
        };
        Overview {
            groups: (0..groups).map(group).collect(),
            ..Overview::default()
        }
    }

    fn shown_at(query: &str) -> String {
        list(&overview(250), &Params::read(query.as_bytes())).into_string()
    }

    #[test]
    fn groups_are_found_by_words_and_shown_a_page_at_a_time() {
        let first = shown_at("");
        assert_eq!(first.matches("group?name=").count(), MAX_GROUPS);
        assert!(
            first.contains("250 groups") && first.contains("page 1 of 3"),
            "{first}"
        );
        let last = shown_at("page=2");
        assert_eq!(last.matches("group?name=").count(), 50);
        let found = shown_at("q=sink+24");
        assert!(found.contains("5 groups of 250"), "{found}");
        assert!(
            found.contains("influxsink-249") && !found.contains("saltransform"),
            "{found}"
        );
        assert_eq!(shown_at("page=9"), last, "a page that is not there is the last");
    }
}
