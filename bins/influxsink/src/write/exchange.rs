//! What requests to InfluxDB share: the place that they name, the address of an endpoint, and the part of an answer that is
//! read.

use reqwest::{Response, Url};

/// A bucket or database, by its interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/api/v2/write`.
    V2 {
        /// The organisation; 1.8 and 3 ignore it.
        org: String,
        /// The bucket; in 1.8 `database/retention-policy`.
        bucket: String,
    },
    /// `/write`.
    V1 {
        /// The database.
        database: String,
    },
}

/// The address of an endpoint below `base`, which may be a folder of a proxy, with `pairs` as its whole query.
pub(super) fn address(base: &Url, path: &str, pairs: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    url
}

/// The maximum of a response's body that is read. InfluxDB lists each malformed line of a request; the connection of a
/// longer page is closed.
const MAX_ANSWER_BYTES: usize = 256 << 10;

/// The body up to [`MAX_ANSWER_BYTES`].
pub(super) async fn beginning(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_ANSWER_BYTES {
            body.truncate(MAX_ANSWER_BYTES);
            break;
        }
    }
    Ok(body)
}
