//! What the user has selected with keys: the row, the pause, the help.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The rows that Page Up and Page Down move by.
const PAGE_ROWS: usize = 10;

/// The state of the display.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// The selected row of the groups' table.
    pub(super) selected: usize,
    /// The frame is not updated.
    pub(super) paused: bool,
    /// The help is shown.
    pub(super) help: bool,
    pub(super) quit: bool,
    /// The groups' table is sorted by lag.
    pub(super) by_lag: bool,
    /// Groups and partitions without a lag are left out.
    pub(super) hides_idle: bool,
    /// Only groups and topics whose names contain it, in either case.
    pub(super) filter: String,
    /// Keys go to the filter.
    pub(super) is_typing: bool,
    /// The frame is printed instead of displayed, without keys and selection.
    pub(super) printed: bool,
}

impl State {
    /// Handles a key; `rows` is the number of rows in the groups' table.
    pub(super) fn press(&mut self, key: KeyEvent, rows: usize) {
        let last = rows.saturating_sub(1);
        match key.code {
            _ if self.is_typing && !key.modifiers.contains(KeyModifiers::CONTROL) => self.edit(key.code),
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc if !self.help && !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Char('s') => self.by_lag = !self.by_lag,
            KeyCode::Char('i') => self.hides_idle = !self.hides_idle,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.quit = true,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Char('q') | KeyCode::Esc => self.quit = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected += PAGE_ROWS,
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(PAGE_ROWS),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            _ => {}
        }
        self.selected = self.selected.min(last);
    }

    fn edit(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char(letter) => self.filter.push(letter),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Esc => {
                self.filter.clear();
                self.is_typing = false;
            }
            KeyCode::Enter => self.is_typing = false,
            _ => {}
        }
    }

    /// Whether the filter lets a name through.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.filter.is_empty() || name.to_lowercase().contains(&self.filter.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(keys: &[KeyCode], rows: usize) -> State {
        let mut state = State::default();
        for key in keys {
            state.press(KeyEvent::from(*key), rows);
        }
        state
    }

    #[test]
    fn keys_do_what_the_help_says() {
        use KeyCode::{Backspace, Char, Down, End, Enter, Esc, Home, PageDown, Up};
        assert!(pressed(&[Char('q')], 0).quit);
        assert!(pressed(&[Char('p')], 0).paused);
        assert!(!pressed(&[Char('p'), Char(' ')], 0).paused);
        let helped = pressed(&[Char('?'), Esc], 0);
        assert!(!helped.help && !helped.quit, "Esc closes the help first");
        assert_eq!(pressed(&[Down, Down, Up], 5).selected, 1);
        assert_eq!(pressed(&[PageDown], 5).selected, 4);
        assert_eq!(pressed(&[End, Home, Up], 5).selected, 0);
        assert_eq!(pressed(&[Down, End], 0).selected, 0);
        let filtered = pressed(&[Char('/'), Char('q'), Char('x'), Backspace, Enter], 0);
        assert!(!filtered.quit && !filtered.is_typing && filtered.filter == "q");
        let cleared = pressed(&[Char('/'), Char('q'), Enter, Esc], 0);
        assert!(
            !cleared.quit && cleared.filter.is_empty(),
            "Esc shows everything again"
        );
        assert!(pressed(&[Char('s'), Char('i')], 0).by_lag);
        assert!(pressed(&[Char('s'), Char('i')], 0).hides_idle);
        let mut state = State {
            is_typing: true,
            ..State::default()
        };
        state.press(KeyEvent::new(Char('c'), KeyModifiers::CONTROL), 0);
        assert!(state.quit);
    }
}
