//! What may follow in an unfinished command line: the names of commands and flags, and the values of flags and arguments,
//! whose kind follows from the names that `--help` has for them: TOPIC, GROUP, FILE.

use clap::{Arg, Command};

/// What may follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These words.
    Words(Vec<String>),
    /// Names of topics that begin so.
    Topics(String),
    /// Names of groups that begin so.
    Groups(String),
    /// Names of clusters that begin so.
    Clusters(String),
    /// The name of a file.
    Files,
}

/// What may follow in this line, which ends at the cursor.
pub(super) fn next(mut command: Command, line: &str) -> Next {
    command.build();
    let words = words(line);
    let Some((typed, before)) = words.split_last() else {
        return Next::Words(Vec::new());
    };
    let mut place = Place {
        command: &command,
        flag: None,
        arguments: 0,
        only_arguments: false,
    };
    // The first word is the program.
    for word in before.iter().skip(1) {
        place.pass(word);
    }
    place.next(typed)
}

/// The words of a line, as a shell splits them; the last one is being typed and may be empty.
pub(super) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_word, mut quote) = (Vec::new(), String::new(), false, None);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => (quote, is_word) = (Some(c), true),
            (None | Some('"'), '\\') => word.extend(rest.next()),
            (None, c) if c.is_whitespace() => {
                if is_word || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            (_, c) => word.push(c),
        }
    }
    words.push(word);
    words
}

/// Where the cursor is, as far as the line is read.
struct Place<'c> {
    command: &'c Command,
    /// The flag whose value follows.
    flag: Option<&'c Arg>,
    /// Arguments without a flag that have passed.
    arguments: usize,
    /// Behind `--`.
    only_arguments: bool,
}

impl<'c> Place<'c> {
    fn pass(&mut self, word: &str) {
        if self.flag.take().is_some() {
            return;
        }
        if self.only_arguments {
            self.arguments += 1;
        } else if word == "--" {
            self.only_arguments = true;
        } else if let Some(long) = word.strip_prefix("--") {
            self.flag = self.long(long).filter(|_| !long.contains('='));
        } else if let Some(shorts) = word.strip_prefix('-').filter(|shorts| !shorts.is_empty()) {
            let mut letters = shorts.chars();
            let first = letters.find_map(|letter| self.short(letter));
            self.flag = first.filter(|_| letters.next().is_none());
        } else if let Some(below) = self.command.find_subcommand(word).filter(|_| self.arguments == 0) {
            self.command = below;
        } else {
            self.arguments += 1;
        }
    }

    fn next(&self, typed: &str) -> Next {
        if let Some(flag) = self.flag {
            return values(flag, typed);
        }
        if !self.only_arguments && typed.starts_with('-') {
            return match typed.split_once('=') {
                Some((name, value)) => match self.long(name.trim_start_matches('-')) {
                    Some(flag) => values(flag, value),
                    None => Next::Words(Vec::new()),
                },
                None => Next::Words(self.flags(typed)),
            };
        }
        let commands = self.commands(typed);
        let of_argument = self.argument().map(|argument| values(argument, typed));
        match of_argument {
            Some(Next::Words(words)) => Next::Words([commands, words].concat()),
            Some(other) if commands.is_empty() => other,
            _ => Next::Words(commands),
        }
    }

    /// The argument that the next word without a flag is.
    fn argument(&self) -> Option<&'c Arg> {
        let reached = self.command.get_positionals().take(self.arguments + 1);
        let (index, argument) = reached.enumerate().last()?;
        let is_several = argument
            .get_num_args()
            .is_some_and(|number| number.max_values() > 1)
            || matches!(argument.get_action(), clap::ArgAction::Append);
        (index == self.arguments || is_several).then_some(argument)
    }

    fn commands(&self, typed: &str) -> Vec<String> {
        if self.arguments > 0 || self.only_arguments {
            return Vec::new();
        }
        let shown = || {
            self.command
                .get_subcommands()
                .filter(|below| !below.is_hide_set())
        };
        let found = starting(shown().map(Command::get_name), typed);
        if found.is_empty() {
            return starting(shown().flat_map(Command::get_visible_aliases), typed);
        }
        found
    }

    fn flags(&self, typed: &str) -> Vec<String> {
        let shown = self.command.get_arguments().filter(|arg| !arg.is_hide_set());
        let names: Vec<String> = shown
            .filter_map(|arg| arg.get_long().map(|long| format!("--{long}")))
            .collect();
        starting(names.iter().map(String::as_str), typed)
    }

    /// The flag of this name, if a value follows it.
    fn long(&self, word: &str) -> Option<&'c Arg> {
        let name = word.split('=').next().unwrap_or_default();
        self.command.get_arguments().find(|arg| {
            let is_it =
                arg.get_long() == Some(name) || arg.get_all_aliases().unwrap_or_default().contains(&name);
            is_it && arg.get_action().takes_values()
        })
    }

    fn short(&self, letter: char) -> Option<&'c Arg> {
        self.command.get_arguments().find(|arg| {
            let is_it = arg.get_short() == Some(letter)
                || arg.get_all_short_aliases().unwrap_or_default().contains(&letter);
            is_it && arg.get_action().takes_values()
        })
    }
}

/// What the value of a flag or argument may be.
fn values(arg: &Arg, typed: &str) -> Next {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        return Next::Words(starting(possible.iter().map(|value| value.get_name()), typed));
    }
    if arg.get_id() == "cluster" {
        return Next::Clusters(typed.to_owned());
    }
    let name = arg.get_value_names().and_then(|names| names.first());
    match name.map(|name| name.as_str()) {
        Some("TOPIC") => Next::Topics(typed.to_owned()),
        Some("GROUP") => Next::Groups(typed.to_owned()),
        Some("FILE" | "DIR") => Next::Files,
        _ => Next::Words(Vec::new()),
    }
}

fn starting<'w>(words: impl Iterator<Item = &'w str>, typed: &str) -> Vec<String> {
    let mut found: Vec<String> = words
        .filter(|word| word.starts_with(typed))
        .map(str::to_owned)
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn command() -> Command {
        let broker = Arg::new("broker").long("broker").short('b');
        let topics = Arg::new("topic").value_name("TOPIC").action(ArgAction::Append);
        let exit = Arg::new("exit")
            .long("exit")
            .short('e')
            .action(ArgAction::SetTrue);
        let tail = Command::new("tail")
            .visible_alias("consume")
            .args([broker, topics, exit])
            .arg(Arg::new("output").long("output").value_name("FILE"))
            .arg(Arg::new("format").long("format").value_parser(["json", "text"]));
        let describe = Command::new("describe").arg(Arg::new("group").value_name("GROUP").required(true));
        let groups = Command::new("groups")
            .subcommand(describe)
            .subcommand(Command::new("delete"));
        Command::new("kafkaefd").subcommands([tail, groups])
    }

    #[test]
    fn what_follows_depends_on_what_is_there() {
        let words = |words: &[&str]| Next::Words(words.iter().map(|word| (*word).to_owned()).collect());
        for (line, expected) in [
            ("kafkaefd ", words(&["groups", "help", "tail"])),
            ("kafkaefd t", words(&["tail"])),
            ("kafkaefd con", words(&["consume"])),
            ("kafkaefd groups de", words(&["delete", "describe"])),
            ("kafkaefd groups describe g", Next::Groups("g".to_owned())),
            ("kafkaefd groups describe g h", words(&[])),
            ("kafkaefd consume lsst", Next::Topics("lsst".to_owned())),
            ("kafkaefd tail -e a 'b", Next::Topics("b".to_owned())),
            ("kafkaefd tail -eb h:1 b", Next::Topics("b".to_owned())),
            ("kafkaefd tail --broker=h:1 b", Next::Topics("b".to_owned())),
            ("kafkaefd tail --broker ", words(&[])),
            ("kafkaefd tail --ou", words(&["--output"])),
            ("kafkaefd tail --output x", Next::Files),
            ("kafkaefd tail --format ", words(&["json", "text"])),
            ("kafkaefd tail --format=j", words(&["json"])),
            ("kafkaefd tail -- -x", Next::Topics("-x".to_owned())),
        ] {
            assert_eq!(next(command(), line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_line_is_split_as_a_shell_does() {
        assert_eq!(words("a 'b c' \"d\\\"e\"  f\\ g"), ["a", "b c", "d\"e", "f g"]);
        assert_eq!(words("a '' "), ["a", "", ""]);
    }
}
