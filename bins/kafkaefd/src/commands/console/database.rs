//! The flags that name the database of the plots: those of influxsink's output, by the same variables.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use operator::failure::Failure;
use operator::telemetry::{Bucket, Database, DatabaseAddress, NamedDatabase};
use stage::address::Address;
use stage::config::defaults::{INFLUXDB_API, INFLUXDB_DATABASE, INFLUXDB_ORG};

use crate::commands::secret::secret;

/// The query interface of InfluxDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Api {
    /// Flux, of InfluxDB 2
    V2,
    /// InfluxQL, of InfluxDB 1
    V1,
}

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Database")]
pub(super) struct DatabaseArgs {
    /// The database that influxsink writes to: an InfluxDB's address, or sqlite: and a file; of several with commas, the
    /// first. Without one, plots are drawn from the messages in Kafka
    #[arg(
        long,
        env = "INFLUXDB_URL",
        value_name = "URL|sqlite:PATH",
        hide_env_values = true
    )]
    influxdb: Option<Address>,
    /// Query interface of InfluxDB
    #[arg(
        long,
        env = "INFLUXDB_API",
        value_enum,
        default_value = INFLUXDB_API,
        value_name = "API"
    )]
    api: Api,
    /// Organisation (v2)
    #[arg(long, env = "INFLUXDB_ORG", default_value = INFLUXDB_ORG, value_name = "NAME")]
    influxdb_org: String,
    /// Bucket (v2)
    #[arg(long, env = "INFLUXDB_BUCKET", default_value = INFLUXDB_DATABASE, value_name = "NAME")]
    influxdb_bucket: String,
    /// Database (v1)
    #[arg(long, env = "INFLUXDB_DATABASE", default_value = INFLUXDB_DATABASE, value_name = "NAME")]
    influxdb_database: String,
    /// File that holds a token that may read the bucket (v2); or set INFLUXDB_TOKEN in the environment
    #[arg(long, env = "INFLUXDB_TOKEN_FILE", value_name = "FILE")]
    influxdb_token_file: Option<PathBuf>,
    /// File that holds the name of a user who may read the database (v1); or set INFLUXDB_USER in the environment
    #[arg(long, env = "INFLUXDB_USER_FILE", value_name = "FILE")]
    influxdb_user_file: Option<PathBuf>,
    /// File that holds that user's password; or set INFLUXDB_PASSWORD in the environment
    #[arg(long, env = "INFLUXDB_PASSWORD_FILE", value_name = "FILE")]
    influxdb_password_file: Option<PathBuf>,
    /// PEM file of the authorities that sign InfluxDB's certificate, instead of the system's
    #[arg(long, env = "INFLUXDB_CA_FILE", value_name = "FILE")]
    influxdb_ca_file: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The database, if one is named.
    pub(super) fn database(self) -> Result<Option<Database>, Failure> {
        let Some(all) = self.influxdb else {
            return Ok(None);
        };
        // influxsink's variable of the same name may list further outputs.
        let url: Address = all.reveal().split(',').next().unwrap_or_default().into();
        let address = match (url.reveal().strip_prefix("sqlite:"), self.api) {
            (Some(path), _) => DatabaseAddress::Sqlite(path.into()),
            (None, Api::V2) => DatabaseAddress::InfluxdbV2(Bucket {
                url,
                org: self.influxdb_org,
                bucket: self.influxdb_bucket,
                token: secret(self.influxdb_token_file.as_deref(), "INFLUXDB_TOKEN")?,
            }),
            (None, Api::V1) => {
                let user = secret(self.influxdb_user_file.as_deref(), "INFLUXDB_USER")?;
                let password = secret(self.influxdb_password_file.as_deref(), "INFLUXDB_PASSWORD")?;
                DatabaseAddress::InfluxdbV1(NamedDatabase {
                    url,
                    database: self.influxdb_database,
                    login: user.map(|user| user.reveal().to_owned()).zip(password),
                })
            }
        };
        Database::new(address, self.influxdb_ca_file).map(Some)
    }
}
