//! How far a long question has come: reported to a callback, which a terminal or a page shows as a bar.

/// One report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is counted, in the plural: `dead letters`.
    pub unit: &'static str,
    /// How many are done. The first report of each pass has 0.
    pub done: u64,
    /// How many there are, as far as offsets tell. The last report of each pass has as many done.
    pub total: u64,
}

/// Counts one pass, and reports the count to a callback.
pub(crate) struct Counter<'r> {
    report: &'r dyn Fn(Progress),
    progress: Progress,
}

impl<'r> Counter<'r> {
    pub(crate) fn start(unit: &'static str, total: u64, report: &'r dyn Fn(Progress)) -> Self {
        let progress = Progress { unit, done: 0, total };
        report(progress);
        Self { report, progress }
    }

    pub(crate) fn add_one(&mut self) {
        self.add(1);
    }

    pub(crate) fn add(&mut self, count: u64) {
        // Only `finish` reports the end: more may come than the offsets let expect.
        let most = self.progress.total.saturating_sub(1);
        self.progress.done = (self.progress.done + count).min(most);
        (self.report)(self.progress);
    }

    pub(crate) fn finish(mut self) {
        self.progress.done = self.progress.total;
        (self.report)(self.progress);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_pass_ends_once_however_much_comes() {
        let reports = RefCell::new(Vec::new());
        let report = |progress: Progress| reports.borrow_mut().push((progress.done, progress.total));
        let mut counter = Counter::start("messages", 2, &report);
        (0..3).for_each(|_| counter.add_one());
        counter.finish();
        assert_eq!(*reports.borrow(), [(0, 2), (1, 2), (1, 2), (1, 2), (2, 2)]);
    }
}
