//! What a database's answer means for its points. The table is InfluxDB's own (API reference of 1.8, 2.7 and 3),
//! interpreted so that nothing is lost: only an answer that the data is invalid may cost a point.

use std::time::Duration;

use stage::Printable;

use crate::write_result::WriteResult;

/// An HTTP response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'r> {
    /// The status.
    pub(super) status: u16,
    /// `Content-Type`.
    pub(super) content_type: Option<&'r str>,
    /// `Location`, of a redirect.
    pub(super) location: Option<&'r str>,
    /// `Retry-After`.
    pub(super) retry_after: Option<&'r str>,
    /// The body, or the beginning of a long one.
    pub(super) body: &'r str,
}

/// The maximum pause: a wrong clock or a proxy that asks for days would silently stop the sink.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// The shown characters of a page that is not InfluxDB's.
const PAGE_SHOWN: usize = 200;

const UNAUTHORIZED: &str = "unauthorized";
const NOT_FOUND: &str = "not_found";

impl WriteResult {
    /// Whether the database refuses the token.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, WriteResult::Away { reason, .. } if *reason == UNAUTHORIZED)
    }

    /// Whether the database or bucket does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, WriteResult::Away { reason, .. } if *reason == NOT_FOUND)
    }

    /// The same with more to its message.
    pub(super) fn with_remark(mut self, remark: &str) -> WriteResult {
        if let WriteResult::Away { message, .. } = &mut self {
            message.push_str("; ");
            message.push_str(remark);
        }
        self
    }

    /// Interprets an HTTP response.
    ///
    /// Only 204 is a write: InfluxDB 1.x to 3, its clouds, and compatible databases (Telegraf, VictoriaMetrics,
    /// QuestDB) answer nothing else when all points are stored. 201 is Cloud Dedicated's answer for a part of them. 200
    /// comes from `/health`, from a proxy's page, and from InfluxDB 0.9 for a failed write.
    ///
    /// Likewise, only a response with InfluxDB's error object counts as a judgement of the points: a web server that
    /// receives a request without TLS also answers 400.
    pub(super) fn of_http(reply: &Reply<'_>) -> WriteResult {
        let status = reply.status;
        let said = said(reply.body);
        let words = said.as_deref().unwrap_or(reply.body);
        let message = match status {
            204 => return WriteResult::Written,
            201 | 400 | 422 => match said {
                Some(said) => {
                    return WriteResult::Rejected {
                        message: format!("{status}: {said}"),
                    };
                }
                None => reply.not_a_write_endpoint(),
            },
            401 => format!(
                "401: {}: check --token-file or INFLUXDB_TOKEN, or --influxdb-user-file and --influxdb-password-file",
                short(words)
            ),
            403 => format!("403: {}: the token needs the right to write there", short(words)),
            404 => format!(
                "404: {}: check --org and --bucket (or --database), and the address",
                short(words)
            ),
            413 | 429 | 500.. => format!("{status}: {}", short(words)),
            _ => reply.not_a_write_endpoint(),
        };
        let after = || {
            let seconds = reply.retry_after.and_then(|text| text.trim().parse::<f64>().ok());
            let pause = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            pause.map(|pause| pause.min(MAX_PAUSE))
        };
        match status {
            413 => WriteResult::TooLarge { message },
            401 => WriteResult::Away {
                reason: UNAUTHORIZED,
                message,
            },
            403 => WriteResult::Away {
                reason: "forbidden",
                message,
            },
            404 => WriteResult::Away {
                reason: NOT_FOUND,
                message,
            },
            429 => WriteResult::Busy {
                reason: "too_many_requests",
                after: after(),
                message,
            },
            503 => WriteResult::Busy {
                reason: "unavailable",
                after: after(),
                message,
            },
            500.. => WriteResult::Away {
                reason: "server_error",
                message,
            },
            // The data is not the cause.
            _ => WriteResult::Away {
                reason: "unexpected_status",
                message,
            },
        }
    }
}

impl Reply<'_> {
    /// The response, for an operator who has to find out what is at this address.
    fn not_a_write_endpoint(&self) -> String {
        let body: String = self.body.trim().chars().take(PAGE_SHOWN).collect();
        let content = match self.location {
            Some(location) => format!("redirects to {}", Printable(location)),
            None if body.is_empty() => "nothing in it".to_owned(),
            None => Printable(body).to_string(),
        };
        format!(
            "this is not the write endpoint of an InfluxDB, which answers 204 to a write: check --into, --api and what is \
             in between; the answer was {}, {}: {content}",
            self.status,
            Printable(self.content_type.unwrap_or("no content type")),
        )
    }
}

/// The message of InfluxDB's error object: `message` (v2) or `error` (v1 and 3), and what 3 reports of single lines.
/// None if the body is not one. Without control characters, because it goes to logs and headers.
fn said(body: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = (json.get("error").or_else(|| json.get("code")).is_some())
        .then(|| json.get("message").or_else(|| json.get("error")))
        .flatten()?
        .as_str()?;
    let mut said = text.trim().replace(char::is_control, " ");
    for line in json
        .get("data")
        .and_then(|data| data.as_array())
        .into_iter()
        .flatten()
    {
        if let (Some(number), Some(why)) = (
            line.get("line_number").and_then(serde_json::Value::as_u64),
            line.get("error_message").and_then(serde_json::Value::as_str),
        ) {
            said.push_str(&format!(
                "; line {number}: {}",
                why.replace(char::is_control, " ")
            ));
        }
    }
    Some(if said.is_empty() {
        "no reason given".to_owned()
    } else {
        said
    })
}

/// Truncated, and without control characters.
fn short(words: &str) -> String {
    const MAX_CHARS: usize = 600;
    match words.trim() {
        "" => "no reason given".to_owned(),
        words => one_line(words, MAX_CHARS),
    }
}

/// At most `max_chars` characters of a server's words, none of them a control character.
pub(super) fn one_line(words: &str, max_chars: usize) -> String {
    let shown = words.trim().chars().take(max_chars);
    shown.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply<'_> {
        Reply {
            status,
            content_type: None,
            location: None,
            retry_after: None,
            body,
        }
    }

    fn of(status: u16) -> WriteResult {
        WriteResult::of_http(&reply(status, r#"{"code":"x","message":"words"}"#))
    }

    #[test]
    fn only_bad_data_costs_points() {
        assert_eq!(of(204), WriteResult::Written);
        for status in [400, 422] {
            assert!(matches!(of(status), WriteResult::Rejected { .. }), "{status}");
        }
        assert!(matches!(of(413), WriteResult::TooLarge { .. }));
        for status in [
            100, 200, 202, 206, 301, 302, 401, 403, 404, 405, 408, 415, 418, 500, 502, 504, 507,
        ] {
            assert!(matches!(of(status), WriteResult::Away { .. }), "{status}");
        }
        for status in [429, 503] {
            assert!(
                matches!(of(status), WriteResult::Busy { after: None, .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn the_reason_is_found_in_each_versions_body() {
        let rejected = |body: &str| match WriteResult::of_http(&reply(422, body)) {
            WriteResult::Rejected { message } => message,
            other => panic!("{other:?}"),
        };
        let v2 =
            r#"{"code":"unprocessable entity","message":"partial write: field type conflict dropped=1"}"#;
        assert_eq!(rejected(v2), "422: partial write: field type conflict dropped=1");
        assert_eq!(
            rejected(r#"{"error":"points beyond retention policy"}"#),
            "422: points beyond retention policy"
        );
        assert_eq!(rejected(r#"{"error":"two\nlines"}"#), "422: two lines");
        assert_eq!(rejected(r#"{"error":""}"#), "422: no reason given");
        let v3 = r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"m v=1i 1","line_number":2,"error_message":"invalid\ncolumn type"}]}"#;
        assert_eq!(
            rejected(v3),
            "422: partial write of line protocol occurred; line 2: invalid column type"
        );
    }

    #[test]
    fn what_has_no_error_object_says_nothing_about_points() {
        for body in [
            "",
            "two\nlines",
            "<html>",
            "[]",
            "{}",
            r#"{"message":"ready","status":"pass"}"#,
        ] {
            for status in [201, 400, 422] {
                assert!(
                    matches!(
                        WriteResult::of_http(&reply(status, body)),
                        WriteResult::Away { .. }
                    ),
                    "{status} {body}"
                );
            }
        }
    }

    #[test]
    fn retry_after_is_read_and_bounded() {
        let after = |text| match WriteResult::of_http(&Reply {
            retry_after: Some(text),
            ..reply(503, "")
        }) {
            WriteResult::Busy { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("2"), Some(Duration::from_secs(2)));
        assert_eq!(after("86400"), Some(MAX_PAUSE));
        assert_eq!(after("-1"), None);
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
