//! `kafkaefd k8s`: the manifests in k8s-apps/.

mod new;

use clap::{Args, Subcommand};
use operator::failure::Failure;

use crate::exit::Done;

/// Deployments on Kubernetes: write the overlay of another subsystem
#[derive(Args, Debug, Clone)]
pub struct K8sCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    New(new::NewArgs),
}

impl K8sCommand {
    pub(crate) fn run(&self) -> Result<Done, Failure> {
        match &self.action {
            Action::New(args) => args.run(),
        }
    }
}
