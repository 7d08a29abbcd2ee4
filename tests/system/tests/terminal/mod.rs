//! A program on a terminal of its own, made by `script`: killing `script` is closing the window.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Whose terminal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// The program's: the kernel sends it a SIGHUP when the terminal is closed.
    Own,
    /// Another's, as of a program that an ended tmux leaves behind: nobody tells it.
    Foreign,
}

/// The program; killed at the end of its test in any case.
pub(crate) struct Terminal {
    script: Child,
    pid: u32,
    shown: Arc<Mutex<Vec<u8>>>,
    _folder: tempfile::TempDir,
}

impl Terminal {
    /// Starts a program with standard input, output and stderr on a terminal of this many columns.
    pub(crate) fn start(command: &Command, columns: u16, session: Session) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (line, pid) = (folder.path().join("line.sh"), folder.path().join("pid"));
        let words: Vec<String> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| quoted(word.to_str().unwrap()))
            .collect();
        // The number appears at once, or not at all.
        let text = format!(
            "stty cols {columns} rows 24\necho $$ > {pid}.new && mv {pid}.new {pid}\nexec {}\n",
            words.join(" "),
            pid = pid.display()
        );
        std::fs::write(&line, text).unwrap();
        let shell = match session {
            Session::Own => format!("exec sh {}", line.display()),
            Session::Foreign => format!("exec setsid --wait sh {}", line.display()),
        };
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &shell, "/dev/null"]);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.env("TERM", "xterm-256color");
        let mut script = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let shown: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (mut output, copy) = (script.stdout.take().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                copy.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        let pid = wait("the program starts", || number(&pid));
        Self {
            script,
            pid,
            shown,
            _folder: folder,
        }
    }

    /// Everything that it has shown, with control sequences.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until it has shown a text.
    #[allow(dead_code, reason = "not every test uses it")]
    pub(crate) fn wait_for(&self, text: &str) {
        wait(&format!("{text:?} is shown"), || {
            self.shown().contains(text).then_some(())
        });
    }

    /// Types text.
    #[allow(dead_code, reason = "not every test uses it")]
    pub(crate) fn press(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until the program handles SIGHUP.
    #[allow(dead_code, reason = "not every test uses it")]
    pub(crate) fn wait_until_it_listens(&self) {
        wait("it listens for SIGHUP", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            (u64::from_str_radix(caught.trim(), 16).ok()? & 1 == 1).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.pid.to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Closes the window.
    pub(crate) fn close(&mut self) {
        self.script.kill().unwrap();
        self.script.wait().unwrap();
    }

    /// Whether the program still runs.
    pub(crate) fn is_running(&self) -> bool {
        // An orphan that nobody has waited for is a zombie.
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .is_ok_and(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
    }

    /// Waits until the program has ended and returns its exit code, 128 more than the signal that ended it.
    #[allow(dead_code, reason = "not every test uses it")]
    pub(crate) fn exit_code(&mut self) -> i32 {
        let status = wait("it ends", || self.script.try_wait().unwrap());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal("-KILL");
        }
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// Polls until there is an answer.
pub(crate) fn wait<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(start.elapsed() < TIMEOUT, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn number(path: &PathBuf) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
