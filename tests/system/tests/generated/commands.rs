//! A page for each binary with its commands, their flags, variables, defaults and examples; and one with the flags that
//! commands share, which the others refer to.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::{Arg, ArgAction, Args, Command};
use stage::config::{ClusterArgs, KafkaArgs, MemberArgs, RegistryArgs, ServiceArgs};

const GENERATED: &str =
    "<!-- written by `make reference` from the command line: change the code, not this page -->";

/// The groups of flags that several commands share, by the heading of each on its page.
fn shared() -> [(&'static str, Command); 5] {
    [
        ("Kafka", KafkaArgs::augment_args(Command::new(""))),
        ("Schema registry", RegistryArgs::augment_args(Command::new(""))),
        ("Service", ServiceArgs::augment_args(Command::new(""))),
        ("Consumer group", MemberArgs::augment_args(Command::new(""))),
        ("Named clusters", ClusterArgs::augment_args(Command::new(""))),
    ]
}

/// The page of the flags that commands share.
pub(crate) fn shared_page() -> String {
    let mut page = format!(
        "# Flags that commands share\n\n{GENERATED}\n\nA flag wins over its environment variable, and both win over \
         [named clusters](../operations.md#named-clusters). The pages of the binaries say which of these groups a command \
         has.\n"
    );
    for (heading, command) in shared() {
        let rows: Vec<String> = visible(&command).map(row).collect();
        write!(page, "\n## {heading}\n\n{}", table(&rows)).unwrap();
    }
    page
}

/// The page of a binary.
pub(crate) fn page(mut binary: Command) -> String {
    binary.build();
    let name = binary.get_name().to_owned();
    let mut page = format!("# {name}\n\n{GENERATED}\n\n{}.\n", about(&binary));
    page.push_str("\n| command | purpose |\n|---|---|\n");
    let mut sections = String::new();
    collect(&binary, &name, &mut page, &mut sections);
    if let Some(after) = binary.get_after_help() {
        write!(page, "\n```text\n{}\n```\n", after.to_string().trim_end()).unwrap();
    }
    page + &sections
}

fn collect(command: &Command, path: &str, overview: &mut String, sections: &mut String) {
    for sub in command.get_subcommands() {
        if sub.get_name() == "help" || sub.is_hide_set() {
            continue;
        }
        let path = format!("{path} {}", sub.get_name());
        if sub.get_subcommands().any(|below| below.get_name() != "help") {
            collect(sub, &path, overview, sections);
            continue;
        }
        writeln!(
            overview,
            "| [`{path}`](#{}) | {} |",
            path.replace(' ', "-"),
            cell(&about(sub))
        )
        .unwrap();
        section(sub, &path, sections);
    }
}

fn section(command: &Command, path: &str, page: &mut String) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(
        page,
        "\n## {path}\n\n{}.\n\n```text\n{usage}\n```\n",
        long_about(command)
    )
    .unwrap();
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        write!(page, "\nAlso {}.\n", aliases.join(", ")).unwrap();
    }
    let (mut groups, mut of_groups) = (Vec::new(), BTreeSet::new());
    for (heading, group) in shared() {
        let rows: Vec<String> = visible(&group).map(row).collect();
        let own: Vec<String> = visible(command)
            .filter(|arg| {
                group
                    .get_arguments()
                    .any(|shared| shared.get_id() == arg.get_id())
            })
            .map(row)
            .collect();
        if !rows.is_empty() && rows == own {
            let anchor = heading.to_lowercase().replace(' ', "-");
            groups.push(format!("[{heading}](shared-flags.md#{anchor})"));
            of_groups.extend(group.get_arguments().map(|arg| arg.get_id().to_string()));
        }
    }
    let own: Vec<String> = visible(command)
        .filter(|arg| !of_groups.contains(arg.get_id().as_str()))
        .map(row)
        .collect();
    if !own.is_empty() {
        write!(page, "\n{}", table(&own)).unwrap();
    }
    if !groups.is_empty() {
        write!(page, "\nFurther flags: {}.\n", groups.join(", ")).unwrap();
    }
    if let Some(after) = command.get_after_help() {
        write!(page, "\n```text\n{}\n```\n", after.to_string().trim_end()).unwrap();
    }
}

fn table(rows: &[String]) -> String {
    let head = "| argument | environment | default | meaning |\n|---|---|---|---|\n";
    head.to_owned() + &rows.concat()
}

fn visible(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
}

fn row(arg: &Arg) -> String {
    let mut names: Vec<String> = arg
        .get_long_and_visible_aliases()
        .unwrap_or_default()
        .iter()
        .map(|long| format!("`--{long}`"))
        .collect();
    for short in arg.get_short_and_visible_aliases().unwrap_or_default() {
        names.push(format!("`-{short}`"));
    }
    if arg.is_positional() {
        let value = arg.get_value_names().and_then(<[_]>::first);
        names.push(format!(
            "`{}`",
            value.map_or(arg.get_id().as_str(), |value| value.as_str())
        ));
    }
    let environment = arg
        .get_env()
        .map_or(String::new(), |name| format!("`{}`", name.to_string_lossy()));
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let takes_value = !matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
    let default = if takes_value {
        defaults.join(", ")
    } else {
        String::new()
    };
    format!(
        "| {} | {environment} | {} | {} |\n",
        cell(&names.join(", ")),
        cell(&default),
        cell(&meaning(arg, takes_value))
    )
}

/// The help, and the values that are allowed.
fn meaning(arg: &Arg, takes_value: bool) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| takes_value && !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if values.is_empty() {
        help
    } else {
        format!("{}: {}", help.trim_end_matches('.'), values.join(", "))
    }
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    about.trim().trim_end_matches('.').to_owned()
}

fn long_about(command: &Command) -> String {
    let about = command
        .get_long_about()
        .or(command.get_about())
        .map(ToString::to_string)
        .unwrap_or_default();
    about.trim().trim_end_matches('.').to_owned()
}

/// Text of one line in which nothing is taken for Markdown's or HTML's own signs.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut written = String::new();
    let mut is_code = false;
    for letter in line.chars() {
        match letter {
            '`' => {
                is_code = !is_code;
                written.push(letter);
            }
            '|' => written.push_str("\\|"),
            '<' | '*' | '[' if !is_code => {
                written.push('\\');
                written.push(letter);
            }
            letter => written.push(letter),
        }
    }
    written
}
