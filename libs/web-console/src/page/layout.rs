//! The frame of every page: head, navigation, and the address of its event stream.

use maud::{DOCTYPE, Markup, html};

use crate::access::User;
use crate::format::shown;

/// The pages that the navigation names: address, name.
const PAGES: [(&str, &str); 6] = [
    ("./", "Overview"),
    ("telemetry", "Telemetry"),
    ("topics", "Topics"),
    ("groups", "Groups"),
    ("schemas", "Schemas"),
    ("dead-letters", "Dead letters"),
];

/// What a page is framed with.
#[derive(Debug, Default)]
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    /// The page of the navigation that it belongs to.
    pub(crate) page: &'a str,
    /// The address of its event stream, if it has one.
    pub(crate) events: Option<String>,
    /// Whether it is loaded again and again where there are no scripts: what somebody types into a form would be lost.
    pub(crate) has_no_form: bool,
    pub(crate) user: Option<User>,
    /// Whether a token can be given.
    pub(crate) can_log_in: bool,
    pub(crate) is_demo: bool,
    /// Whether there is a worker of Kafka Connect.
    pub(crate) has_connect: bool,
}

impl<'a> Frame<'a> {
    /// That of a page without events.
    pub(crate) const fn of(title: &'a str, page: &'a str) -> Self {
        Self {
            title,
            page,
            events: None,
            has_no_form: false,
            user: None,
            can_log_in: false,
            is_demo: false,
            has_connect: false,
        }
    }
}

/// A whole page. All links are relative, so that it works behind a prefix.
pub(crate) fn page(frame: &Frame<'_>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (frame.title) " · kafka-efd" }
                link rel="stylesheet" href="console.css";
                link rel="icon" href="icon.svg" type="image/svg+xml";
                script src="console.js" defer {}
                @if frame.events.is_some() && frame.has_no_form {
                    noscript { meta http-equiv="refresh" content="5"; }
                }
            }
            body data-events=[frame.events.as_deref()] {
                a.skip href="#main" { "Skip to the content" }
                (header(frame))
                main #main tabindex="-1" { (content) }
            }
        }
    }
}

fn header(frame: &Frame<'_>) -> Markup {
    let connectors = frame.has_connect.then_some(("connectors", "Connectors"));
    html! {
        header.top {
            a.brand href="./" { "kafka-efd" @if frame.is_demo { span.badge { "demo" } } }
            nav aria-label="Pages" {
                @for (address, name) in PAGES.into_iter().chain(connectors) {
                    a href=(address) aria-current=[(address == frame.page).then_some("page")] { (name) }
                }
            }
            p.live-state #live-state role="status" {}
            @match &frame.user {
                Some(user) => {
                    p.user title="May change something" { "as " (shown(&user.name)) }
                    @if frame.can_log_in { form.out action="logout" method="post" { button.plain { "Log out" } } }
                },
                None => {
                    @if frame.can_log_in { a.user href="login" { "Log in" } } @else { p.user { "read-only" } }
                },
            }
        }
    }
}
