//! The links between the pages of a list.

use maud::{Markup, html};

use crate::format::count;

/// Where a list of `pages` pages is at `page`, the first of which is 0, with links to its neighbours; nothing if it has one.
pub(super) fn pager(page: usize, pages: usize, at: impl Fn(usize) -> String) -> Markup {
    html! {
        @if pages > 1 {
            nav.pages aria-label="Pages of the list" {
                @if page > 0 { a href=(at(page - 1)) rel="prev" { "← previous" } }
                span { "page " (count(page + 1)) " of " (count(pages)) }
                @if page + 1 < pages { a href=(at(page + 1)) rel="next" { "next →" } }
            }
        }
    }
}
