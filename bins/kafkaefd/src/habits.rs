//! What users of kafkactl, kaf, rpk and kcat type out of habit, in the order of this command's words:
//! `kafkaefd get topics` is `kafkaefd topics list`, and `kafkaefd -C -t T` is `kafkaefd tail T -o beginning`. Other names of
//! a command are aliases in its own module; docs/then-and-now.md has a table of all.

use std::ffi::OsString;

/// kafkactl's verbs, and our commands for them.
const VERBS: [(&str, &str); 4] = [
    ("get", "list"),
    ("describe", "describe"),
    ("create", "create"),
    ("delete", "delete"),
];
/// What they are applied to, and our command for it.
const KINDS: [(&str, &str); 9] = [
    ("topic", "topics"),
    ("topics", "topics"),
    ("consumer-group", "groups"),
    ("consumer-groups", "groups"),
    ("cg", "groups"),
    ("group", "groups"),
    ("groups", "groups"),
    ("connector", "connectors"),
    ("connectors", "connectors"),
];
/// kaf's lists, which need no verb.
const LISTS: [&str; 3] = ["topics", "groups", "connectors"];

/// The arguments, which start with the program's name, as the parser expects them.
pub fn translated(arguments: Vec<OsString>) -> Vec<OsString> {
    let words: Vec<&str> = arguments
        .iter()
        .skip(1)
        .map(|argument| argument.to_str().unwrap_or_default())
        .collect();
    let (replaced, instead) = match words.as_slice() {
        ["get", "brokers" | "nodes", ..] | ["cluster", "info" | "metadata" | "health", ..] => {
            (2, vec!["brokers"])
        }
        [verb, kind, ..] if found(&VERBS, verb).is_some() && found(&KINDS, kind).is_some() => {
            let (verb, kind) = (found(&VERBS, verb), found(&KINDS, kind));
            (2, kind.into_iter().chain(verb).collect())
        }
        ["ls", ..] => (1, vec!["topics", "list"]),
        [list, rest @ ..] if LISTS.contains(list) && is_without_verb(rest) => (1, vec![*list, "list"]),
        [first, ..] if first.starts_with('-') => return of_kcat(arguments),
        _ => return arguments,
    };
    let instead: Vec<OsString> = instead.into_iter().map(OsString::from).collect();
    let mut rest = arguments.into_iter();
    let program = rest.next();
    program
        .into_iter()
        .chain(instead)
        .chain(rest.skip(replaced))
        .collect()
}

fn found(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    let (_, ours) = table.iter().find(|(theirs, _)| *theirs == word)?;
    Some(ours)
}

/// Nothing follows but flags that are not a request for help.
fn is_without_verb(rest: &[&str]) -> bool {
    match rest.first() {
        None => true,
        Some(next) => next.starts_with('-') && !["-h", "--help"].contains(next),
    }
}

/// kcat's modes: `-L`, `-C` and `-P`, with the topic behind `-t`.
fn of_kcat(arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(mode) = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .find(|argument| ["-L", "-C", "-P"].contains(argument))
        .map(str::to_owned)
    else {
        return arguments;
    };
    let mut rest = arguments.into_iter();
    let program = rest.next();
    let (mut topics, mut flags) = (Vec::new(), Vec::new());
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("-t") => topics.extend(rest.next()),
            Some("-J") if mode == "-C" => flags.extend(["--format", "json"].map(OsString::from)),
            Some("-J") => flags.push("--json".into()),
            // Their messages on stderr, and unbuffered output, which ours is where somebody waits for it.
            Some("-q" | "-u") => {}
            Some(text) if text == mode => {}
            _ => flags.push(argument),
        }
    }
    let is_placed = flags
        .iter()
        .filter_map(|flag| flag.to_str())
        .any(|flag| flag.starts_with("-o") || flag.starts_with("--offset"));
    let command: &[&str] = match mode.as_str() {
        "-L" if topics.is_empty() => &["topics", "list"],
        "-L" => &["topics", "describe"],
        "-P" => &["produce"],
        _ if is_placed => &["tail"],
        // kcat begins at the beginning.
        _ => &["tail", "--offset", "beginning"],
    };
    program
        .into_iter()
        .chain(command.iter().map(OsString::from))
        .chain(topics)
        .chain(flags)
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn ours(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from).collect();
        let texts: Vec<String> = translated(arguments)
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect();
        texts.join(" ")
    }

    #[test]
    fn habits_become_our_commands_and_are_accepted() {
        for (theirs, expected) in [
            ("get topics", "topics list"),
            ("describe topic t", "topics describe t"),
            ("create topic t -p 3", "topics create t -p 3"),
            ("delete topic t --yes", "topics delete t --yes"),
            ("get consumer-groups --json", "groups list --json"),
            ("describe cg g", "groups describe g"),
            ("get brokers", "brokers"),
            ("cluster info", "brokers"),
            ("topics", "topics list"),
            ("groups --json", "groups list --json"),
            ("ls --all", "topics list --all"),
            ("-L -b b:1", "topics list -b b:1"),
            ("-b b:1 -L -J", "topics list -b b:1 --json"),
            ("-L -t t", "topics describe t"),
            ("-C -t t -e -q", "tail --offset beginning t -e"),
            ("-t t -C -o -5 -c 3 -J", "tail t -o -5 -c 3 --format json"),
            ("-P -t t -K :", "produce t -K :"),
            // Aliases, which the parser knows.
            (
                "consume t --from-beginning -c 1",
                "consume t --from-beginning -c 1",
            ),
            ("topic ls", "topic ls"),
            ("topic add-partitions t 3", "topic add-partitions t 3"),
            ("topic rm t", "topic rm t"),
            ("group ls", "group ls"),
            ("group seek g --to start", "group seek g --to start"),
            ("group rm g", "group rm g"),
            ("nodes", "nodes"),
            ("schema get s", "schema get s"),
            ("schema create s f", "schema create s f"),
            ("schema check-compatibility s f", "schema check-compatibility s f"),
            ("contexts", "contexts"),
            ("profiles --json", "profiles --json"),
            ("dlq ls", "dlq ls"),
            ("completion bash", "completion bash"),
        ] {
            let expected = format!("kafkaefd {expected}");
            assert_eq!(ours(&format!("kafkaefd {theirs}")), expected);
            let parsed = crate::cli::Cli::command().try_get_matches_from(expected.split(' '));
            assert!(parsed.is_ok(), "{expected}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn our_own_commands_stay_as_they_are() {
        for line in [
            "kafkaefd",
            "kafkaefd --help",
            "kafkaefd topics --help",
            "kafkaefd topics delete get topics",
            "kafkaefd tail -L",
            "kafkaefd --version",
        ] {
            assert_eq!(ours(line), line);
        }
    }
}
