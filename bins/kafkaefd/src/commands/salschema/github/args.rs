//! The flags of the repository on GitHub and of the access to it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use stage::address::Address;
use stage::config::Secret;

use operator::failure::Failure;

/// Process lists show the value of this flag.
const TOKEN_FLAG: &str = "--github-token";

/// A repository on GitHub and the credentials to read it.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "GitHub")]
pub struct GithubArgs {
    /// SAL XML repository on GitHub to read instead of a directory; files are cached in $XDG_CACHE_HOME/kafka-efd or
    /// ~/.cache/kafka-efd
    #[arg(long, value_name = "ORG/REPO")]
    pub(crate) xml_repo: Option<Repository>,

    /// User that the token belongs to, for GitHub servers that require both
    #[arg(long, value_name = "NAME")]
    pub(super) github_user: Option<String>,

    /// Token, which allows 5,000 requests an hour instead of 60 and access to private repositories. Prefer a file or
    /// the environment, because process lists show flags to all users
    #[arg(long, env = "GITHUB_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(super) github_token: Option<Secret>,

    /// File that contains the token
    #[arg(long, value_name = "FILE")]
    pub(super) github_token_file: Option<PathBuf>,

    /// Address of the API, for GitHub Enterprise
    #[arg(long, default_value = "https://api.github.com", value_name = "URL")]
    pub(super) github_api: Address,
}

/// `ORG/REPO` with only the characters that GitHub allows, so that neither part can change the path of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(super) organisation: String,
    pub(super) name: String,
}

impl GithubArgs {
    /// The token, from its file, the environment or the flag.
    pub(super) fn token(&self) -> Result<Option<Secret>, Failure> {
        if exposed(std::env::args()) {
            stage::stderr_line!(
                "warning: {TOKEN_FLAG} is an argument, which process lists show to every user of this machine: use \
                 --github-token-file or GITHUB_TOKEN"
            );
        }
        match &self.github_token_file {
            Some(path) => match Secret::from_file(path) {
                Ok(token) => Ok(Some(token)),
                Err(error) => Err(Failure::Usage(stage::chain(&error))),
            },
            // An empty variable counts as unset.
            None => Ok(self
                .github_token
                .clone()
                .filter(|token| !token.reveal().is_empty())),
        }
    }
}

fn exposed(mut arguments: impl Iterator<Item = String>) -> bool {
    arguments.any(|argument| {
        argument
            .strip_prefix(TOKEN_FLAG)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            let letters = name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            letters && !name.is_empty() && !name.starts_with('.')
        };
        match text.split_once('/') {
            Some((organisation, name)) if is_name(organisation) && is_name(name) => Ok(Self {
                organisation: organisation.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err("expected ORG/REPO, for example lsst-ts/ts_xml".to_owned()),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organisation, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_two_names() {
        assert_eq!(
            "lsst-ts/ts_xml".parse::<Repository>().unwrap().to_string(),
            "lsst-ts/ts_xml"
        );
        for wrong in ["ts_xml", "/x", "a/..", "a/b/c", "https://github.com/a/b", "a/b?"] {
            assert!(wrong.parse::<Repository>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_on_the_command_line_is_detected() {
        let exposed = |line: &str| exposed(line.split(' ').map(str::to_owned));
        assert!(exposed("convert --github-token x") && exposed("convert --github-token=x"));
        assert!(!exposed("convert --github-token-file x"));
    }
}
