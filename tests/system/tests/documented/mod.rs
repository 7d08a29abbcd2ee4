//! The command lines in README.md and docs/: the blocks that are marked as shell.

/// A block of lines that a user types.
#[derive(Debug)]
pub(crate) struct Block {
    /// Such as `docs/operations.md`.
    #[allow(dead_code, reason = "not every test shows it")]
    pub(crate) document: String,
    /// Of its first line, from 1.
    #[allow(dead_code, reason = "not every test shows it")]
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The first words of those that are run as they are written.
const RUN: [&str; 3] = [
    "cargo build --release && export PATH",
    "curl -sS \"$INFLUXDB_URL/api/v2/query",
    "kafkaefd tail lsst.sal.Test_scalars",
];

impl Block {
    /// Whether `real_services` runs it.
    pub(crate) fn is_run(&self) -> bool {
        RUN.iter().any(|start| self.text.starts_with(start))
    }

    /// Its commands as words, without comments, assignments and redirections of the shell; lines that end with `\` continue.
    #[allow(dead_code, reason = "not every test parses them")]
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let lines = self.text.replace("\\\n", " ");
        let mut commands = Vec::new();
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut letters = lines.chars().peekable();
        let mut end = |words: &mut Vec<String>| {
            if !words.is_empty() {
                commands.push(std::mem::take(words));
            }
        };
        while let Some(letter) = letters.next() {
            match (quote, letter) {
                (Some(open), letter) if letter == open => quote = None,
                (Some(_), letter) => word.get_or_insert_default().push(letter),
                (None, '\'' | '"') => {
                    quote = Some(letter);
                    word.get_or_insert_default();
                }
                (None, '#') if word.is_none() => while letters.next_if(|letter| *letter != '\n').is_some() {},
                (None, '\n' | ';' | '&' | '|') => {
                    words.extend(word.take());
                    end(&mut words);
                }
                (None, letter) if letter.is_whitespace() => words.extend(word.take()),
                (None, letter) => word.get_or_insert_default().push(letter),
            }
        }
        words.extend(word.take());
        end(&mut words);
        commands
    }
}

/// All blocks of README.md and docs/.
pub(crate) fn blocks() -> Vec<Block> {
    let root = system_tests::root();
    let mut documents = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            documents.push(format!("docs/{name}"));
        }
    }
    documents.sort();
    let mut blocks = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(root.join(&document)).unwrap();
        let mut block: Option<(usize, Vec<&str>)> = None;
        for (index, line) in text.lines().enumerate() {
            match &mut block {
                None if line.trim_start() == "```sh" => block = Some((index + 2, Vec::new())),
                Some(_) if line.trim_start() == "```" => {
                    let (line, lines) = block.take().unwrap();
                    let text = lines.join("\n").trim_start().to_owned();
                    blocks.push(Block {
                        document: document.clone(),
                        line,
                        text,
                    });
                }
                Some((_, lines)) => lines.push(line),
                None => {}
            }
        }
    }
    blocks
}
