//! The name of an overlay, which is part of the names of all that it creates.

use crate::failure::Failure;

/// `saltransform-init-` precedes it in the longest name that Kubernetes also uses as a label, which has at most 63
/// characters.
const MAX_LENGTH: usize = 63 - "saltransform-init-".len();

/// Refuses a name that the API server would refuse, or that YAML would not read as text.
pub(super) fn check(name: &str) -> Result<(), Failure> {
    let refuse = |why: String| {
        Err(Failure::Usage(format!(
            "{name:?} cannot be part of a name in Kubernetes: {why}"
        )))
    };
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return refuse("it must start with a small letter".to_owned());
    }
    if let Some(bad) = name
        .chars()
        .find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && *c != '-')
    {
        return refuse(format!(
            "it may have small letters, digits and '-' only, not {bad:?}"
        ));
    }
    if name.ends_with('-') {
        return refuse("it must end with a letter or digit".to_owned());
    }
    if name.len() > MAX_LENGTH {
        return refuse(format!(
            "it may have at most {MAX_LENGTH} characters, this one has {}",
            name.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kubernetes_refuses_are_refused() {
        for good in ["atdome", "mt-m1m3-2", &"a".repeat(MAX_LENGTH)] {
            check(good).unwrap();
        }
        let bad = [
            "",
            "2day",
            "-a",
            "a-",
            "ATDome",
            "at_dome",
            "a.b",
            "dömchen",
            &"a".repeat(MAX_LENGTH + 1),
        ];
        for bad in bad {
            let failure = check(bad).unwrap_err().to_string();
            assert!(
                failure.contains("cannot be part of a name in Kubernetes"),
                "{failure}"
            );
        }
    }
}
