//! The file of named clusters: its place, and its parsing, which names the line of whatever is wrong with it. It holds no
//! secret: what is one is refused, with the place where it belongs.
//!
//! ```toml
//! default = "base"                      # optional: what kafkaefd uses where nothing else names a cluster or an address
//!
//! [clusters.summit]
//! broker = "kafka.summit:9093"
//! schema-registry = "https://registry.summit"
//! kafka-config-file = "summit.properties"   # beside this file: passwords and keys
//! set = { "security.protocol" = "sasl_ssl" }
//! metrics = ["saltransform.summit:9464"]
//! ```

use std::env;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::setting::{Setting, is_secret};
use super::ClusterError;
use crate::address::redacted;
use crate::nearest::nearest;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An address, which must not hold a password.
    Address,
    /// Several of them.
    Addresses,
    /// A path, relative to the file's folder; `~/` is the user's.
    Path,
    /// Any text.
    Text,
}

/// The keys of a cluster, which are the names of flags.
const KEYS: [(&str, Kind); 12] = [
    ("broker", Kind::Address),
    ("kafka-config-file", Kind::Path),
    ("kafka-token-file", Kind::Path),
    ("schema-registry", Kind::Address),
    ("schema-registry-user", Kind::Text),
    ("schema-registry-password-file", Kind::Path),
    ("schema-registry-ca-file", Kind::Path),
    ("kafka-connect", Kind::Address),
    ("kafka-connect-user", Kind::Text),
    ("kafka-connect-password-file", Kind::Path),
    ("kafka-connect-ca-file", Kind::Path),
    ("metrics", Kind::Addresses),
];
/// The key of settings for Kafka clients, a table.
const SET: &str = "set";
/// Short names of keys.
const SHORT: [(&str, &str); 2] = [("registry", "schema-registry"), ("connect", "kafka-connect")];
/// The keys of the file.
const TOP: [&str; 2] = ["default", "clusters"];

/// The clusters of a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFile {
    /// Where it is.
    pub path: PathBuf,
    /// The cluster that is used where none is named.
    pub default: Option<String>,
    /// All of them.
    pub clusters: Vec<ClusterEntry>,
}

/// A named cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterEntry {
    /// Its name.
    pub name: String,
    /// Values of flags, by the flag's name.
    values: Vec<(&'static str, Vec<String>)>,
    /// Settings for Kafka clients.
    pub(super) settings: Vec<Setting>,
}

impl ClusterEntry {
    /// The value of a flag.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, values) = self.values.iter().find(|(known, _)| *known == key)?;
        values.first().map(String::as_str)
    }

    /// All values, by the names of their flags.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        self.values.iter().map(|(key, values)| (*key, values.as_slice()))
    }
}

/// The names of the flags whose values a file can give.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

impl ClusterFile {
    /// Where the file is: `given`, or `kafka-efd/config.toml` in the user's folder of configurations.
    pub fn path(given: Option<&Path>) -> Option<PathBuf> {
        if let Some(given) = given {
            return Some(given.to_owned());
        }
        let folder = |variable: &str| {
            env::var_os(variable)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let configurations =
            folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
        Some(configurations.join("kafka-efd/config.toml"))
    }

    /// Reads the file, or returns `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, ClusterError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ClusterError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The cluster of that name.
    pub(super) fn cluster(&self, name: &str) -> Result<&ClusterEntry, ClusterError> {
        let found = self.clusters.iter().find(|cluster| cluster.name == name);
        found.ok_or_else(|| ClusterError::Unknown {
            name: name.to_owned(),
            path: self.path.clone(),
            meant: meant(name, self.clusters.iter().map(|cluster| cluster.name.as_str())),
        })
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ClusterError> {
        let reader = Reader { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let place = error.span().unwrap_or_default();
            reader.invalid(&place, error.message().to_owned())
        })?;
        let mut file = Self {
            path: path.to_owned(),
            default: None,
            clusters: Vec::new(),
        };
        let mut default = None;
        for (key, value) in in_order(table.get_ref()) {
            match key.get_ref().as_ref() {
                "default" => {
                    default = Some(value.span());
                    file.default = Some(reader.text_of("default", value)?);
                }
                "clusters" => {
                    for (name, cluster) in in_order(reader.table_of("clusters", value)?) {
                        file.clusters.push(reader.cluster(name.get_ref(), cluster)?);
                    }
                }
                unknown => return Err(reader.unknown(key, unknown, &TOP)),
            }
        }
        if let (Some(name), Some(place)) = (&file.default, default) {
            file.cluster(name)
                .map_err(|error| reader.invalid(&place, format!("default: {}", error.short())))?;
        }
        Ok(file)
    }
}

/// The file while it is read.
struct Reader<'f> {
    path: &'f Path,
    text: &'f str,
}

impl Reader<'_> {
    fn cluster(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<ClusterEntry, ClusterError> {
        let mut cluster = ClusterEntry {
            name: name.to_owned(),
            ..ClusterEntry::default()
        };
        for (key, value) in in_order(self.table_of(name, value)?) {
            let written = key.get_ref().as_ref();
            let full = SHORT
                .iter()
                .find(|(short, _)| *short == written)
                .map_or(written, |(_, full)| *full);
            if full == SET {
                cluster.settings = self.settings(value)?;
                continue;
            }
            let Some((known, kind)) = KEYS.iter().find(|(known, _)| *known == full) else {
                if is_secret(written) || written.contains("token") {
                    return Err(self.secret(&key.span(), written));
                }
                let known: Vec<&str> = keys().chain([SET]).collect();
                return Err(self.unknown(key, written, &known));
            };
            let values = match (kind, value.get_ref()) {
                (Kind::Addresses, DeValue::Array(several)) => several
                    .iter()
                    .map(|value| self.text_of(known, value))
                    .collect::<Result<_, _>>()?,
                _ => vec![self.text_of(known, value)?],
            };
            let is_address = matches!(kind, Kind::Address | Kind::Addresses);
            if is_address && values.iter().any(|address| redacted(address) != *address) {
                return Err(self.secret(&value.span(), known));
            }
            let values = match kind {
                Kind::Path => values.iter().map(|path| self.whole_path(path)).collect(),
                _ => values,
            };
            if cluster.get(known).is_some() {
                return Err(self.invalid(&key.span(), format!("{known} is given twice")));
            }
            cluster.values.push((known, values));
        }
        Ok(cluster)
    }

    fn settings(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Setting>, ClusterError> {
        let mut settings = Vec::new();
        for (key, value) in in_order(self.table_of(SET, value)?) {
            let name = key.get_ref().as_ref();
            if is_secret(name) {
                return Err(self.secret(&key.span(), name));
            }
            let text = match value.get_ref() {
                DeValue::Boolean(flag) => flag.to_string(),
                DeValue::Integer(number) => number.to_string(),
                _ => self.text_of(name, value)?,
            };
            settings.push(Setting::from((name, text.as_str())));
        }
        Ok(settings)
    }

    /// A path as the file means it.
    fn whole_path(&self, written: &str) -> String {
        let home = written.strip_prefix("~/").zip(env::var_os("HOME"));
        let path = match home {
            Some((rest, home)) => Path::new(&home).join(rest),
            None => self.path.parent().unwrap_or(Path::new("")).join(written),
        };
        path.to_string_lossy().into_owned()
    }

    fn text_of(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, ClusterError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.as_ref().to_owned()),
            _ => Err(self.invalid(&value.span(), format!("{key}: expected a text in quotes"))),
        }
    }

    fn table_of<'v>(
        &self,
        key: &str,
        value: &'v Spanned<DeValue<'v>>,
    ) -> Result<&'v DeTable<'v>, ClusterError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.invalid(&value.span(), format!("{key}: expected a table"))),
        }
    }

    fn unknown(&self, key: &Spanned<impl Sized>, name: &str, known: &[&str]) -> ClusterError {
        let meant = meant(name, known.iter().copied());
        self.invalid(&key.span(), format!("there is no key {name}{meant}"))
    }

    fn secret(&self, place: &Range<usize>, key: &str) -> ClusterError {
        self.invalid(
            place,
            format!(
                "{key} holds a secret, and this file must not: passwords and keys of Kafka clients belong in the file that \
                 kafka-config-file names, others in the file of a …-password-file, or in the environment \
                 (SCHEMAREGISTRY_PASSWORD, KAFKA_CONNECT_PASSWORD)"
            ),
        )
    }

    fn invalid(&self, place: &Range<usize>, reason: String) -> ClusterError {
        let before = self.text.get(..place.start).unwrap_or_default();
        ClusterError::Invalid {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            reason,
        }
    }
}

/// The entries of a table as the file has them.
fn in_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> impl Iterator<Item = (&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter()
}

/// What an unknown name may have been meant to be, behind the sentence that says so.
fn meant<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let near = nearest(name, known);
    if near.is_empty() {
        String::new()
    } else {
        format!(": did you mean {}?", near.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ClusterFile, String> {
        ClusterFile::parse(Path::new("/etc/k/config.toml"), text).map_err(|error| crate::chain(&error))
    }

    #[test]
    fn clusters_are_read_in_order() {
        let file = parse(
            "default = \"base\"\n[clusters.summit]\nbroker = \"kafka.summit:9093\"\nregistry = \"https://registry\"\n\
             kafka-config-file = \"summit.properties\"\nmetrics = [\"a:1\", \"b:2\"]\n\
             set = { \"security.protocol\" = \"sasl_ssl\", \"linger.ms\" = 5 }\n[clusters.base]\n",
        )
        .unwrap();
        let names: Vec<&str> = file
            .clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect();
        assert_eq!(names, ["summit", "base"]);
        assert_eq!(file.default.as_deref(), Some("base"));
        let summit = file.cluster("summit").unwrap();
        assert_eq!(summit.get("broker"), Some("kafka.summit:9093"));
        assert_eq!(summit.get("schema-registry"), Some("https://registry"));
        assert_eq!(summit.get("kafka-config-file"), Some("/etc/k/summit.properties"));
        assert_eq!(
            format!("{:?}", summit.settings),
            "[security.protocol=sasl_ssl, linger.ms=5]"
        );
        let metrics = summit.values().find(|(key, _)| *key == "metrics").unwrap();
        assert_eq!(metrics.1, ["a:1", "b:2"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_what_was_meant() {
        for (text, expected) in [
            (
                "defualt = \"a\"",
                "/etc/k/config.toml:1: there is no key defualt: did you mean default?",
            ),
            (
                "[clusters.a]\nbroker = \"b:1\"\nscheme-registry = \"c\"",
                "/etc/k/config.toml:3: there is no key scheme-registry: did you mean schema-registry",
            ),
            (
                "\n[clusters.summit]\n[clusters.a]\nbroker = 5",
                ":4: broker: expected a text in quotes",
            ),
            (
                "default = \"sumit\"\n[clusters.summit]",
                ":1: default: there is no cluster sumit: did you mean summit?",
            ),
            ("clusters = 1", ":1: clusters: expected a table"),
            ("[clusters.a\n", ":1: "),
            (
                "[clusters.a]\nregistry = \"r\"\nschema-registry = \"s\"",
                ":3: schema-registry is given twice",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_secret_is_refused_and_not_shown() {
        for (line, key) in [
            ("set = { \"sasl.password\" = \"s3cr3t\" }", "sasl.password"),
            ("sasl-password = \"s3cr3t\"", "sasl-password"),
            (
                "schema-registry-password = \"s3cr3t\"",
                "schema-registry-password",
            ),
            ("influxdb-token = \"s3cr3t\"", "influxdb-token"),
            ("registry = \"https://anna:s3cr3t@registry\"", "schema-registry"),
            ("metrics = [\"https://host?token=s3cr3t\"]", "metrics"),
        ] {
            let error = parse(&format!("[clusters.a]\n{line}\n")).unwrap_err();
            assert!(
                error.starts_with(&format!("/etc/k/config.toml:2: {key} holds a secret")),
                "{line}: {error}"
            );
            assert!(
                error.contains("kafka-config-file") && !error.contains("s3cr3t"),
                "{error}"
            );
        }
    }
}
