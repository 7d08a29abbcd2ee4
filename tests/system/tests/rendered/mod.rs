//! What holds for k8s-apps/ beyond the binaries' command lines.

mod overlays;
mod pods;
