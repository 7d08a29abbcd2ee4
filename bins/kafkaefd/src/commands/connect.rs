//! The flags with which a command logs in to Kafka Connect, whose address is a flag of the command's own: one command has a
//! default for it, another is served without it.

use std::path::PathBuf;

use clap::Args;
use operator::connectors::ConnectSettings;
use operator::failure::Failure;
use stage::address::Address;

use super::secret::secret;

#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kafka Connect")]
pub(crate) struct ConnectLoginArgs {
    /// User for basic authentication; its password comes from --kafka-connect-password-file or KAFKA_CONNECT_PASSWORD
    #[arg(long, env = "KAFKA_CONNECT_USER", value_name = "NAME")]
    kafka_connect_user: Option<String>,
    /// File that holds that user's password
    #[arg(long, env = "KAFKA_CONNECT_PASSWORD_FILE", value_name = "FILE")]
    kafka_connect_password_file: Option<PathBuf>,
    /// PEM file of the certificate authorities to trust instead of the system's
    #[arg(long, env = "KAFKA_CONNECT_CA_FILE", value_name = "FILE")]
    kafka_connect_ca_file: Option<PathBuf>,
}

impl ConnectLoginArgs {
    /// How Kafka Connect at this address is asked.
    pub(crate) fn settings(&self, url: Address) -> Result<ConnectSettings, Failure> {
        let password_file = self.kafka_connect_password_file.as_deref();
        let password = secret(password_file, "KAFKA_CONNECT_PASSWORD")?;
        Ok(ConnectSettings {
            url,
            login: self.kafka_connect_user.clone().map(|user| (user, password)),
            ca_file: self.kafka_connect_ca_file.clone(),
        })
    }
}
