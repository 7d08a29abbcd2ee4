//! What a database's answer means for the points that it was given. The table is InfluxDB's own (API
//! reference of 1.8, 2.7 and 3), read as a writer that must lose nothing has to: only what says "this data is
//! bad" may ever cost a point its place.

use std::time::Duration;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All points are stored.
    Written,
    /// At least one point is bad; others may be stored already, which makes writing them again harmless.
    Rejected {
        /// The database's own words.
        message: String,
    },
    /// The request is too large; none of it is stored.
    TooLarge {
        /// The database's own words.
        message: String,
    },
    /// The database cannot take anything: it is not there, or not set up for us yet. Nothing is wrong with
    /// the points.
    Away {
        /// A few words for a metric's label.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// The database is there and asks for a pause.
    Busy {
        /// A few words for a metric's label.
        reason: &'static str,
        /// How long it asks for, if it says.
        after: Option<Duration>,
        /// For people.
        message: String,
    },
}

/// Longer pauses than this are not kept to: a clock or a proxy that asks for days would stop the sink in
/// silence.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

const UNAUTHORIZED: &str = "unauthorized";

impl Answer {
    /// Whether the token is what the database refuses.
    pub(super) fn is_unauthorized(&self) -> bool {
        matches!(self, Answer::Away { reason, .. } if *reason == UNAUTHORIZED)
    }

    /// Reads an HTTP answer. `retry_after` is that header's text.
    pub(super) fn of_http(status: u16, retry_after: Option<&str>, body: &str) -> Answer {
        let message = match status {
            200..300 => return Answer::Written,
            401 => format!("401: {}: check --token-file or INFLUXDB_TOKEN", message(body)),
            403 => format!("403: {}: the token needs the right to write there", message(body)),
            404 => format!(
                "404: {}: check --org and --bucket (or --database), and the address",
                message(body)
            ),
            _ => format!("{status}: {}", message(body)),
        };
        let after = || {
            let seconds = retry_after.and_then(|text| text.trim().parse::<f64>().ok());
            let pause = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            pause.map(|pause| pause.min(LONGEST_PAUSE))
        };
        match status {
            400 | 422 => Answer::Rejected { message },
            413 => Answer::TooLarge { message },
            401 => Answer::Away {
                reason: UNAUTHORIZED,
                message,
            },
            403 => Answer::Away {
                reason: "forbidden",
                message,
            },
            404 => Answer::Away {
                reason: "not_found",
                message,
            },
            429 => Answer::Busy {
                reason: "too_many_requests",
                after: after(),
                message,
            },
            503 => Answer::Busy {
                reason: "unavailable",
                after: after(),
                message,
            },
            500.. => Answer::Away {
                reason: "server_error",
                message,
            },
            // Redirects and the rest of 4xx: not the write endpoint of an InfluxDB. The data is not at fault.
            _ => Answer::Away {
                reason: "unexpected_status",
                message,
            },
        }
    }
}

/// The words in an error's body: `message` (v2), `error` (v1 and 3), or the body itself. Cut, and without
/// control characters: it goes to logs and headers.
fn message(body: &str) -> String {
    const LONGEST: usize = 600;
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let member = |key| {
        json.as_ref()
            .and_then(|json| json.get(key))
            .and_then(serde_json::Value::as_str)
    };
    let text = member("message").or_else(|| member("error")).unwrap_or(body);
    let text = if text.trim().is_empty() {
        "no reason given"
    } else {
        text.trim()
    };
    text.chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16) -> Answer {
        Answer::of_http(status, None, "")
    }

    #[test]
    fn only_bad_data_costs_points() {
        assert_eq!(of(204), Answer::Written);
        for status in [400, 422] {
            assert!(matches!(of(status), Answer::Rejected { .. }), "{status}");
        }
        assert!(matches!(of(413), Answer::TooLarge { .. }));
        for status in [301, 302, 401, 403, 404, 405, 408, 415, 418, 500, 502, 504, 507] {
            assert!(matches!(of(status), Answer::Away { .. }), "{status}");
        }
        for status in [429, 503] {
            assert!(matches!(of(status), Answer::Busy { after: None, .. }), "{status}");
        }
    }

    #[test]
    fn the_reason_is_found_in_each_versions_body() {
        let rejected = |body: &str| match Answer::of_http(422, None, body) {
            Answer::Rejected { message } => message,
            other => panic!("{other:?}"),
        };
        let v2 =
            r#"{"code":"unprocessable entity","message":"partial write: field type conflict dropped=1"}"#;
        assert_eq!(rejected(v2), "422: partial write: field type conflict dropped=1");
        assert_eq!(
            rejected(r#"{"error":"points beyond retention policy"}"#),
            "422: points beyond retention policy"
        );
        assert_eq!(rejected("two\nlines"), "422: two lines");
        assert_eq!(rejected(""), "422: no reason given");
    }

    #[test]
    fn retry_after_is_read_and_bounded() {
        let after = |text| match Answer::of_http(503, Some(text), "") {
            Answer::Busy { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("2"), Some(Duration::from_secs(2)));
        assert_eq!(after("86400"), Some(LONGEST_PAUSE));
        assert_eq!(after("-1"), None);
        assert_eq!(after("Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
