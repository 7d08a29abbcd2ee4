//! The text of an overlay's `kustomization.yaml`.

use std::fmt::Write;

use super::Overlay;

/// The name of kustomize's file in every folder.
pub const FILE: &str = "kustomization.yaml";

const SUBSYSTEM: &str = "      - SUBSYSTEM=";

impl Overlay {
    /// The overlay's file. The bases and the site's component are two folders above it.
    pub fn kustomization(&self) -> String {
        let Self {
            name,
            subsystems,
            partitions,
            replicas,
        } = self;
        let mut text = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\n\
             kind: Kustomization\n\
             namespace: kafka-efd\n\
             nameSuffix: -{name}\n\
             resources:\n  \
               - ../../base\n\
             components:\n  \
               - ../../components/site\n\
             labels:\n  \
               - pairs:\n      \
                   app.kubernetes.io/instance: {name}\n    \
                 includeSelectors: true\n    \
                 includeTemplates: true\n\
             configMapGenerator:\n  \
               - name: kafka-efd\n    \
                 behavior: merge\n    \
                 literals:\n      \
                   - INSTANCE={name}\n\
             {SUBSYSTEM}{}\n      \
                   - TOPIC_REGEX=^lsst\\.sal\\.({})[._]\n      \
                   - PARTITIONS={partitions}\n\
             replicas:\n",
            subsystems.join(","),
            subsystems.join("|"),
        );
        for stage in ["saltransform", "influxsink"] {
            let _ = writeln!(text, "  - name: {stage}\n    count: {replicas}");
        }
        text
    }
}

/// The subsystems that the text of an overlay names.
pub(super) fn subsystems(text: &str) -> Vec<String> {
    let named = text.lines().filter_map(|line| line.strip_prefix(SUBSYSTEM));
    named
        .flat_map(|names| names.split(','))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_the_overlay_says() {
        let overlay = Overlay {
            name: "auxtel".to_owned(),
            subsystems: vec!["ATDome".to_owned(), "ATMCS".to_owned()],
            partitions: 4,
            replicas: 2,
        };
        let text = overlay.kustomization();
        for line in [
            "nameSuffix: -auxtel",
            "      app.kubernetes.io/instance: auxtel",
            "      - SUBSYSTEM=ATDome,ATMCS",
            r"      - TOPIC_REGEX=^lsst\.sal\.(ATDome|ATMCS)[._]",
            "      - PARTITIONS=4",
            "  - name: influxsink",
            "    count: 2",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line:?} is not in\n{text}"
            );
        }
        assert_eq!(subsystems(&text), overlay.subsystems);
    }
}
