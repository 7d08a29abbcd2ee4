//! The parameters of an address or a form, and the words that one of them looks for. A name may come several times, which
//! axum's own extractor does not read.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

/// How many parameters are read; the rest is ignored.
const MAX_PARAMS: usize = 64;

/// Names and values in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

/// What somebody looks for in names: each of the words, in upper or lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words<W = String>(Vec<W>);

impl Params {
    /// Reads `a=1&b=2`, as an address or the body of a form has it.
    pub(crate) fn read(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text).take(MAX_PARAMS);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The first value of that name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let of_name = self.0.iter().filter(|(found, _)| found == name);
        of_name
            .map(|(_, value)| value.trim())
            .find(|value| !value.is_empty())
    }

    /// All values of that name that are not empty.
    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        let of_name = self.0.iter().filter(move |(found, _)| found == name);
        of_name
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A number within bounds; the default if it is missing or none.
    pub(crate) fn number(&self, name: &str, default: usize, most: usize) -> usize {
        let number = self.get(name).and_then(|text| text.parse().ok());
        number.unwrap_or(default).min(most)
    }

    /// The words that are looked for; none where nothing is.
    pub(crate) fn words(&self) -> Words {
        Words::of(self.get("q").unwrap_or_default())
    }

    /// The same with a parameter set to a value, or taken away.
    pub(crate) fn with(&self, name: &str, value: Option<&str>) -> Self {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(found, _)| found != name)
            .cloned()
            .collect();
        pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        Self(pairs)
    }

    /// The same with one more.
    pub(crate) fn and(&self, name: &str, value: &str) -> Self {
        let mut pairs = self.0.clone();
        pairs.push((name.to_owned(), value.to_owned()));
        Self(pairs)
    }

    /// The same without one value of a name.
    pub(crate) fn without(&self, name: &str, value: &str) -> Self {
        let is_kept = |(found, held): &&(String, String)| found != name || held != value;
        Self(self.0.iter().filter(is_kept).cloned().collect())
    }

    /// Encoded for an address.
    pub(crate) fn encoded(&self) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.0.iter().filter(|(_, value)| !value.is_empty()));
        text.finish()
    }
}

impl<W: AsRef<str>> Words<W> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a name has every one of them.
    pub(crate) fn all_in(&self, name: &str) -> bool {
        self.0.iter().all(|word| has_word(name, word.as_ref()))
    }

    /// Whether a name has any of them.
    pub(crate) fn any_in(&self, name: &str) -> bool {
        self.0.iter().any(|word| has_word(name, word.as_ref()))
    }

    /// Those that a name does not have.
    pub(crate) fn missing_in(&self, name: &str) -> Words<&str> {
        let words = self.0.iter().map(AsRef::as_ref);
        Words(words.filter(|word| !has_word(name, word)).collect())
    }
}

impl Words {
    /// The words of a text.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_lowercase).collect())
    }
}

/// Whether a name contains a word, which is in lower case. Nearly all names are ASCII: nothing is allocated for them.
fn has_word(name: &str, word: &str) -> bool {
    if !name.is_ascii() {
        return name.to_lowercase().contains(word);
    }
    let mut places = name.as_bytes().windows(word.len().max(1));
    places.any(|place| place.eq_ignore_ascii_case(word.as_bytes()))
}

/// A relative link to a page with parameters.
pub(crate) fn link(page: &str, params: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(params);
    format!("{page}?{}", text.finish())
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::read(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_repeat() {
        let params = Params::read(b"f=a%3Ab&f=c&q=&last=10m");
        assert_eq!(params.all("f").collect::<Vec<_>>(), ["a:b", "c"]);
        assert_eq!(params.get("q"), None);
        assert_eq!(params.without("f", "c").with("last", None).encoded(), "f=a%3Ab");
        assert_eq!(params.number("page", 3, 10), 3);
        assert_eq!(Params::read(b"page=99").number("page", 3, 10), 10);
    }

    #[test]
    fn every_word_is_in_a_name_in_upper_or_lower_case() {
        let words = Params::read(b"q=+MTMount+azi+").words();
        assert!(words.all_in("lsst.sal.mtmount_AZIMUTH") && !words.all_in("lsst.sal.MTMount_elevation"));
        assert!(words.any_in("azimuth") && !words.any_in("elevation"));
        assert_eq!(words.missing_in("MTMount_elevation"), Words(vec!["azi"]));
        let none = Params::read(b"q=+").words();
        assert!(none.is_empty() && none.all_in("") && !none.any_in("a"));
        assert!(Words::of("\u{fc}BER").all_in("\u{dc}berall"));
    }

    #[test]
    fn names_and_values_in_links_are_encoded() {
        assert_eq!(
            link("topic", &[("name", "a\"<&?#")]),
            "topic?name=a%22%3C%26%3F%23"
        );
    }
}
