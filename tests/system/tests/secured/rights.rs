//! The permissions that each binary needs, as listed in docs/security.md: the tests grant exactly these, and
//! remove each of them.

use super::stack::Secured;
use crate::real::root;

/// Binary, operation, type of resource, and resource; `{input}` and so on stand for names.
const RIGHTS: &[[&str; 4]] = &[
    ["salmock", "write", "topic", "{input}"],
    ["saltransform", "read", "topic", "{input}"],
    ["saltransform", "read", "group", "{group}"],
    ["saltransform", "write", "topic", "{output}"],
    ["saltransform", "write", "topic", "{dead letters}"],
    ["saltransform", "write", "transactional_id", "{group}-"],
    ["influxsink", "read", "topic", "{output}"],
    ["influxsink", "read", "group", "{group}"],
    ["influxsink", "write", "topic", "{dead letters}"],
    ["console", "read", "topic", "{any}"],
    ["console", "describe_configs", "topic", "{any}"],
    ["console", "describe", "group", "{any}"],
];

/// The names that replace the placeholders in a test.
pub(crate) struct Names {
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) group: String,
}

impl Names {
    /// The arguments for one permission, as the administrator's peer expects them.
    fn words(&self, user: &str, [_, operation, kind, resource]: &[&str; 4]) -> Vec<String> {
        let resource = match *resource {
            "{input}" => self.input.clone(),
            "{output}" => self.output.clone(),
            "{group}" => self.group.clone(),
            "{group}-" => format!("+{}-", self.group),
            "{any}" => "*".to_owned(),
            "{dead letters}" => format!("{}.dead-letter", self.group),
            other => panic!("{other} stands for nothing"),
        };
        [user, operation, kind, &resource].map(str::to_owned).to_vec()
    }
}

impl Secured {
    /// Grants a user the permissions of a binary, except those that `without` lists by operation and
    /// resource.
    pub(crate) fn allow(&self, binary: &str, user: &str, names: &Names, without: &[(&str, &str)]) {
        let rights = RIGHTS.iter().filter(|right| right[0] == binary);
        let given = rights.filter(|right| !without.contains(&(right[1], right[3])));
        self.change("allow", given.map(|right| names.words(user, right)).collect());
    }

    /// Grants a user one permission of the table.
    pub(crate) fn allow_one(
        &self,
        binary: &str,
        user: &str,
        names: &Names,
        (operation, resource): (&str, &str),
    ) {
        let right = RIGHTS
            .iter()
            .find(|right| right[0] == binary && (right[1], right[3]) == (operation, resource));
        self.change("allow", vec![names.words(user, right.unwrap())]);
    }

    fn change(&self, verb: &str, rights: Vec<Vec<String>>) {
        let mut words = vec![verb.to_owned()];
        for (index, right) in rights.into_iter().enumerate() {
            words.extend((index > 0).then(|| ",".to_owned()));
            words.extend(right);
        }
        self.administer(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn the_documented_rights_are_those_that_the_tests_give() {
    let text = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect()
        })
        .collect();
    for right in RIGHTS {
        let found = rows.iter().any(|row| row.len() >= 4 && row[..4] == right[..]);
        assert!(found, "docs/security.md lacks {right:?}");
    }
    let of_binaries = rows
        .iter()
        .filter(|row| RIGHTS.iter().any(|right| right[0] == row[0]));
    for row in of_binaries.filter(|row| row.len() >= 4) {
        assert!(
            RIGHTS.iter().any(|right| row[..4] == right[..]),
            "docs/security.md has {row:?}, no test gives it"
        );
    }
}
