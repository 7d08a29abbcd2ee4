//! The connection to the schema registry.

use std::path::PathBuf;

use clap::Args;

use super::{Secret, SecretError};
use crate::address::Address;

/// The schema registry's flags.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Schema registry")]
pub struct RegistryArgs {
    /// Confluent-compatible schema registry; of several addresses, separated by commas, the next is asked when one does
    /// not answer
    #[arg(
        long,
        env = "SCHEMAREGISTRY",
        default_value = "http://localhost:8081",
        value_name = "URL[,URL]",
        hide_env_values = true
    )]
    pub schema_registry: Address,

    /// User for the registry's basic authentication
    #[arg(long, env = "SCHEMAREGISTRY_USER", value_name = "NAME")]
    pub schema_registry_user: Option<String>,

    /// File that holds that user's password (or set SCHEMAREGISTRY_PASSWORD in the environment)
    #[arg(long, env = "SCHEMAREGISTRY_PASSWORD_FILE", value_name = "FILE")]
    pub schema_registry_password_file: Option<PathBuf>,

    /// PEM file of the authorities that sign the registry's certificate, instead of the system's
    #[arg(long, env = "SCHEMAREGISTRY_CA_FILE", value_name = "FILE")]
    pub schema_registry_ca_file: Option<PathBuf>,
}

impl RegistryArgs {
    /// For embedded use: only an address.
    pub fn at(url: impl Into<Address>) -> Self {
        Self {
            schema_registry: url.into(),
            schema_registry_user: None,
            schema_registry_password_file: None,
            schema_registry_ca_file: None,
        }
    }

    /// The password, from its file or the environment.
    pub fn password(&self) -> Result<Option<Secret>, SecretError> {
        match &self.schema_registry_password_file {
            Some(path) => Secret::from_file(path).map(Some),
            None => Ok(std::env::var("SCHEMAREGISTRY_PASSWORD").ok().map(Secret::new)),
        }
    }
}
