//! Moves connection flags from before the command, where kafkaefd of 2019 had them, to the end: `kafkaefd --broker B
//! admin topics list` becomes `kafkaefd admin topics list --broker B`.

use std::ffi::OsString;

/// The flags of 2019 for the addresses of services, and those that may stand among them. Each has a value.
const FLAGS: [&str; 6] = [
    "--broker",
    "-b",
    "--schema-registry",
    "--kafka-connect",
    "--cluster",
    "--config-file",
];

/// The arguments, which start with the program's name, in the order that the parser expects.
pub fn in_order(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut rest = arguments.into_iter().peekable();
    let mut ordered: Vec<OsString> = rest.next().into_iter().collect();
    let mut moved = Vec::new();
    while let Some(flag) = rest.next_if(is_connection_flag) {
        let has_value = flag.to_str().is_some_and(|flag| flag.contains('='));
        moved.push(flag);
        if !has_value {
            moved.extend(rest.next());
        }
    }
    ordered.extend(rest);
    // Everything after `--` is a value.
    let end = ordered
        .iter()
        .position(|argument| argument == "--")
        .unwrap_or(ordered.len());
    ordered.splice(end..end, moved);
    ordered
}

fn is_connection_flag(argument: &OsString) -> bool {
    let name = argument
        .to_str()
        .map(|text| text.split('=').next().unwrap_or(text));
    name.is_some_and(|name| FLAGS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(line: &str) -> String {
        let arguments = in_order(line.split(' ').map(OsString::from));
        let texts: Vec<&str> = arguments
            .iter()
            .map(|argument| argument.to_str().unwrap())
            .collect();
        texts.join(" ")
    }

    #[test]
    fn connection_flags_before_the_command_move_to_the_end() {
        assert_eq!(
            ordered("kafkaefd --broker b:1 --schema-registry=http://r admin topics list --all"),
            "kafkaefd admin topics list --all --broker b:1 --schema-registry=http://r"
        );
        assert_eq!(
            ordered("kafkaefd --cluster summit --broker b:1 tail t"),
            "kafkaefd tail t --cluster summit --broker b:1"
        );
        assert_eq!(
            ordered("kafkaefd -b b:1 tail t -- -x"),
            "kafkaefd tail t -b b:1 -- -x"
        );
    }

    #[test]
    fn other_arguments_keep_their_order() {
        for line in [
            "kafkaefd",
            "kafkaefd --version",
            "kafkaefd admin brokers --broker b:1",
            "kafkaefd --broker",
        ] {
            assert_eq!(ordered(line), line);
        }
    }
}
