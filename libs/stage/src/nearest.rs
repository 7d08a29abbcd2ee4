//! Suggestions for a name that does not exist: a typo should cost seconds.

/// At most three of `names` that `wrong` may stand for, the nearest first.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    /// Below this similarity, names have little but their length in common.
    const LIKE: f64 = 0.8;
    /// For names that contain it, and for names that differ by one typo.
    const NEAR: f64 = 0.9;
    let wrong = wrong.to_lowercase();
    let mut found: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let near = lower.contains(&wrong) || strsim::damerau_levenshtein(&wrong, &lower) == 1;
            let likeness = strsim::jaro_winkler(&wrong, &lower);
            (if near { likeness.max(NEAR) } else { likeness }, name)
        })
        .filter(|(likeness, _)| *likeness >= LIKE)
        .collect();
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    found
        .into_iter()
        .take(3)
        .map(|(_, name)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let names = ["lsst.sal.Test_scalars", "lsst.sal.Test_arrays", "other"];
        assert_eq!(nearest("lsst.sal.Test_scalar", names)[0], "lsst.sal.Test_scalars");
        assert_eq!(nearest("test_arr", names), ["lsst.sal.Test_arrays"]);
        assert!(nearest("zzz", names).is_empty());
        assert_eq!(nearest("tow", ["one", "two"]), ["two"]);
    }
}
