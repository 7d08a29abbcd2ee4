//! The flags of the databases: where each output of the sink writes, and how it logs in there.
//!
//! `--into` is given once, or once for each output. Every other flag is given once, for all outputs, or as often as
//! `--into` and in the same order; an empty value stands for none. In an environment variable, commas separate them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use reqwest::Url;
use stage::config::Secret;
use stage::config::defaults::{INFLUXDB_API, INFLUXDB_DATABASE, INFLUXDB_ORG, INFLUXDB_URL};

use super::{ConfigError, To};
use crate::write::{Credentials, InfluxTarget, Place, SecretSource};

/// The names of outputs that are given none, in their order.
const NAMES: [&str; 2] = ["primary", "standby"];

/// The write interface of InfluxDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// /api/v2/write: InfluxDB 2, 3 and 1.8
    #[default]
    V2,
    /// /write: InfluxDB 1
    V1,
}

/// The flags.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// The database: an InfluxDB's address, or sqlite: and a file. Given twice, all records are written to both
    /// (primary, then standby), each with progress of its own, so that one that is down does not stop the other.
    /// NAME=URL names an output: NAME is part of its consumer group, <group>.NAME (<group> alone for "primary"). The
    /// other flags of the database are given once, for all, or once for each output in the same order
    #[arg(
        long,
        env = "INFLUXDB_URL",
        default_value = INFLUXDB_URL,
        value_name = "[NAME=]URL|sqlite:PATH",
        hide_env_values = true
    )]
    pub into: Vec<String>,

    /// Write interface of InfluxDB
    #[arg(
        long,
        env = "INFLUXDB_API",
        value_enum,
        value_delimiter = ',',
        default_value = INFLUXDB_API
    )]
    pub api: Vec<Api>,

    /// Organisation (v2); InfluxDB 1.8 and 3 ignore it
    #[arg(long, env = "INFLUXDB_ORG", default_value = INFLUXDB_ORG, value_name = "NAME")]
    pub org: Vec<String>,

    /// Bucket (v2); for InfluxDB 1.8 database/retention-policy
    #[arg(long, env = "INFLUXDB_BUCKET", default_value = INFLUXDB_DATABASE, value_name = "NAME")]
    pub bucket: Vec<String>,

    /// Database (v1)
    #[arg(long, env = "INFLUXDB_DATABASE", default_value = INFLUXDB_DATABASE, value_name = "NAME")]
    pub database: Vec<String>,

    /// Create the database or bucket if InfluxDB answers that there is none, without an end of its retention
    #[arg(long, env = "INFLUXDB_CREATE_DATABASE")]
    pub create_database: bool,

    /// File that holds the token (for InfluxDB 1: user:password), read again when it changes; or set INFLUXDB_TOKEN in
    /// the environment (for one of several outputs INFLUXDB_TOKEN_NAME, such as INFLUXDB_TOKEN_STANDBY)
    #[arg(long, env = "INFLUXDB_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Vec<PathBuf>,

    /// File that holds the user's name, for basic authentication instead of a token, as InfluxDB 1 has it; or set
    /// INFLUXDB_USER in the environment (INFLUXDB_USER_NAME as above)
    #[arg(long, env = "INFLUXDB_USER_FILE", value_name = "FILE")]
    pub influxdb_user_file: Vec<PathBuf>,

    /// File that holds that user's password; or set INFLUXDB_PASSWORD in the environment (INFLUXDB_PASSWORD_NAME as
    /// above). Both files are read again when they change
    #[arg(long, env = "INFLUXDB_PASSWORD_FILE", value_name = "FILE")]
    pub influxdb_password_file: Vec<PathBuf>,

    /// PEM file of the authorities that sign InfluxDB's certificate, instead of the system's
    #[arg(long, env = "INFLUXDB_CA_FILE", value_name = "FILE")]
    pub influxdb_ca_file: Vec<PathBuf>,
}

/// An output before its database is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output<'a> {
    /// Its position among the outputs.
    at: usize,
    /// How many outputs there are.
    count: usize,
    /// None if it is the only one and has no name.
    pub(super) name: Option<String>,
    into: &'a str,
}

impl DatabaseArgs {
    /// For embedded use: one database, and the flags' defaults.
    pub fn at(into: impl Into<String>) -> Self {
        Self {
            into: vec![into.into()],
            api: vec![Api::default()],
            org: vec![INFLUXDB_ORG.to_owned()],
            bucket: vec![INFLUXDB_DATABASE.to_owned()],
            database: vec![INFLUXDB_DATABASE.to_owned()],
            create_database: false,
            token_file: Vec::new(),
            influxdb_user_file: Vec::new(),
            influxdb_password_file: Vec::new(),
            influxdb_ca_file: Vec::new(),
        }
    }

    /// The outputs, each with a name of its own.
    pub(super) fn outputs(&self) -> Result<Vec<Output<'_>>, ConfigError> {
        let given: Vec<_> = self
            .into
            .iter()
            .flat_map(|text| addresses(text))
            .map(named)
            .collect();
        let mut known = HashSet::new();
        let count = given.len();
        let output = |(at, (name, into)): (usize, (Option<&str>, _))| {
            let name = name
                .map(str::to_owned)
                .or_else(|| (count > 1).then(|| usual_name(at)));
            if let Some(name) = &name
                && (is_taken(name) || !known.insert(name.clone()))
            {
                return Err(ConfigError::OutputName(name.clone()));
            }
            Ok(Output {
                at,
                count,
                name,
                into,
            })
        };
        given.into_iter().enumerate().map(output).collect()
    }

    /// The database of an output. Certificates and secrets are read, nothing is connected.
    pub(super) fn to(&self, output: &Output<'_>, others: &super::RunArgs) -> Result<To, ConfigError> {
        let wrong = || ConfigError::To(output.into.to_owned());
        if let Some(path) = output.into.strip_prefix("sqlite:") {
            return match path {
                "" => Err(wrong()),
                path => Ok(To::Sqlite(path.into())),
            };
        }
        let base = Url::parse(output.into).map_err(|_| wrong())?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(ConfigError::SecretInAddress);
        }
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(wrong());
        }
        let text = |flag, values: &[String], default: &str| {
            let value = output.one(flag, values)?;
            Ok::<_, ConfigError>(
                value
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| default.to_owned()),
            )
        };
        let place = match output.one("api", &self.api)?.unwrap_or_default() {
            Api::V2 => Place::V2 {
                org: text("org", &self.org, INFLUXDB_ORG)?,
                bucket: text("bucket", &self.bucket, INFLUXDB_DATABASE)?,
            },
            Api::V1 => Place::V1 {
                database: text("database", &self.database, INFLUXDB_DATABASE)?,
            },
        };
        let target = InfluxTarget {
            base,
            place,
            create: self.create_database,
            credentials: self.credentials(output)?,
            gzip: others.gzip,
            timeout: others.request_timeout,
            ca_file: self.file(output, "influxdb-ca-file", &self.influxdb_ca_file)?,
        };
        target.check()?;
        Ok(To::Influx(target))
    }

    /// Files before variables: a flag is nearer than the environment.
    fn credentials(&self, output: &Output<'_>) -> Result<Credentials, ConfigError> {
        let token = self.file(output, "token-file", &self.token_file)?;
        let user = self.file(output, "influxdb-user-file", &self.influxdb_user_file)?;
        let password = self.file(output, "influxdb-password-file", &self.influxdb_password_file)?;
        if token.is_some() && (user.is_some() || password.is_some()) {
            return Err(ConfigError::TokenAndUser);
        }
        if let Some(path) = token {
            Secret::from_file(&path)?;
            return Ok(Credentials::Token(SecretSource::File(path)));
        }
        let is_in_files = user.is_some() || password.is_some();
        if let (false, Some(token)) = (is_in_files, variable("INFLUXDB_TOKEN", output)) {
            return Ok(Credentials::Token(token));
        }
        let source =
            |file: Option<PathBuf>, name| file.map(SecretSource::File).or_else(|| variable(name, output));
        match (
            source(user, "INFLUXDB_USER"),
            source(password, "INFLUXDB_PASSWORD"),
        ) {
            (None, None) => Ok(Credentials::None),
            (Some(user), Some(password)) => {
                user.read()?;
                password.read()?;
                Ok(Credentials::Login { user, password })
            }
            _ => Err(ConfigError::HalfALogin),
        }
    }

    fn file(
        &self,
        output: &Output<'_>,
        flag: &'static str,
        values: &[PathBuf],
    ) -> Result<Option<PathBuf>, ConfigError> {
        let texts: Vec<_> = values
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        // A path that is not Unicode is not a list of paths.
        match values {
            [only] if only.to_str().is_none() => Ok(Some(only.clone())),
            _ => Ok(output
                .one(flag, &texts)?
                .filter(|text| !text.is_empty())
                .map(|text| Path::new(&text).to_owned())),
        }
    }
}

impl Output<'_> {
    /// The value of a flag for this output.
    fn one<T: Listed>(&self, flag: &'static str, values: &[T]) -> Result<Option<T>, ConfigError> {
        let outputs = self.count;
        let split: Vec<T> = match outputs {
            1 => values.to_vec(),
            _ => values.iter().flat_map(Listed::split).collect(),
        };
        match split.len() {
            0 => Ok(None),
            1 => Ok(split.into_iter().next()),
            given if given == outputs => Ok(split.into_iter().nth(self.at)),
            given => Err(ConfigError::NotOnePerOutput { flag, given, outputs }),
        }
    }
}

/// The value of a flag that may be a list in an environment variable.
trait Listed: Clone {
    fn split(&self) -> Vec<Self>;
}

impl Listed for String {
    fn split(&self) -> Vec<String> {
        str::split(self, ',').map(str::to_owned).collect()
    }
}

impl Listed for Api {
    /// clap splits them.
    fn split(&self) -> Vec<Api> {
        vec![*self]
    }
}

/// A secret of this output, or of all, from the environment.
fn variable(name: &str, output: &Output<'_>) -> Option<SecretSource> {
    let own = output.name.as_ref().map(|output| {
        let output = output.to_uppercase().replace('-', "_");
        format!("{name}_{output}")
    });
    let names = own.into_iter().chain([name.to_owned()]);
    let mut values = names.filter_map(|name| std::env::var(name).ok());
    let value = values.find(|value| !value.trim().is_empty())?;
    Some(SecretSource::Fixed(Secret::new(value.trim())))
}

/// The addresses in a comma-separated list. A comma that no address follows belongs to the address before it.
fn addresses(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(',') {
        let rest = text.get(at + 1..).unwrap_or_default();
        let (_, address) = named(rest.trim_start());
        if ["http://", "https://", "sqlite:"]
            .iter()
            .any(|scheme| address.starts_with(scheme))
        {
            found.extend(text.get(start..at));
            start = at + 1;
        }
    }
    found.extend(text.get(start..));
    found.into_iter().map(str::trim).collect()
}

/// An output's name and its address.
fn named(text: &str) -> (Option<&str>, &str) {
    let is_name = |name: &&str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !name.is_empty() && name.chars().all(is_plain)
    };
    match text.split_once('=') {
        Some((name, address)) => match Some(name).filter(is_name) {
            Some(name) => (Some(name), address),
            None => (None, text),
        },
        None => (None, text),
    }
}

/// Whether an output of this name would use another's group (a replay's), or another's variable (INFLUXDB_TOKEN_FILE).
fn is_taken(name: &str) -> bool {
    name.starts_with("replay-") || name.eq_ignore_ascii_case("file")
}

fn usual_name(at: usize) -> String {
    match NAMES.get(at) {
        Some(name) => (*name).to_owned(),
        None => format!("standby-{at}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(into: &[&str]) -> DatabaseArgs {
        DatabaseArgs {
            into: into.iter().map(|text| (*text).to_owned()).collect(),
            ..DatabaseArgs::at("")
        }
    }

    fn names(into: &[&str]) -> Result<Vec<String>, String> {
        let args = args(into);
        let outputs = args.outputs().map_err(|error| error.to_string())?;
        let told = |output: &Output<'_>| format!("{} {}", output.name.as_deref().unwrap_or("-"), output.into);
        Ok(outputs.iter().map(told).collect())
    }

    #[test]
    fn outputs_have_names_of_their_own() {
        assert_eq!(names(&["http://a"]).unwrap(), ["- http://a"]);
        assert_eq!(names(&["http://a?x=1"]).unwrap(), ["- http://a?x=1"]);
        assert_eq!(names(&["usdf=http://a"]).unwrap(), ["usdf http://a"]);
        let three = ["primary http://a", "standby https://b", "standby-2 sqlite:c"];
        assert_eq!(names(&["http://a", "https://b", "sqlite:c"]).unwrap(), three);
        assert_eq!(names(&["http://a,https://b, sqlite:c"]).unwrap(), three);
        assert_eq!(
            names(&["summit=http://a,usdf=http://b"]).unwrap(),
            ["summit http://a", "usdf http://b"]
        );
        assert_eq!(
            names(&["sqlite:a,b=c.db"]).unwrap(),
            ["- sqlite:a,b=c.db"],
            "a comma in a file's name"
        );
        for twice in [
            ["standby=http://a", "http://b"],
            ["replay-x=http://a", "http://b"],
        ] {
            assert!(names(&twice).unwrap_err().contains("name"), "{twice:?}");
        }
    }

    #[test]
    fn a_flag_is_given_once_or_once_for_each_output() {
        let args = args(&["http://a", "http://b"]);
        let outputs = args.outputs().unwrap();
        let of = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|text| (*text).to_owned()).collect();
            let one = |output: &Output<'_>| output.one("bucket", &values).map_err(|error| error.to_string());
            Ok::<_, String>([one(&outputs[0])?, one(&outputs[1])?])
        };
        let both = |a: &str, b: &str| Ok([Some(a.to_owned()), Some(b.to_owned())]);
        assert_eq!(of(&[]), Ok([None, None]));
        assert_eq!(of(&["efd"]), both("efd", "efd"));
        assert_eq!(of(&["one", "two"]), both("one", "two"));
        assert_eq!(of(&["one,two"]), both("one", "two"), "a variable");
        assert_eq!(of(&[",two"]), both("", "two"));
        let error = of(&["1", "2", "3"]).unwrap_err();
        assert!(error.contains("--bucket") && error.contains('3'), "{error}");
    }
}
