//! SQLite files: the same points, by the same rules.

use influxsink::sqlite::SqliteWriter;
use influxsink::write::Destination;
use influxsink::write_result::WriteResult;
use rusqlite::Connection;
use tempfile::TempDir;

struct File {
    folder: TempDir,
    destination: Destination,
}

impl File {
    fn new() -> File {
        let folder = tempfile::tempdir().unwrap();
        let writer = SqliteWriter::open(&folder.path().join("efd.db")).unwrap();
        File {
            folder,
            destination: Destination::Sqlite(writer),
        }
    }

    fn again(self) -> File {
        let writer = SqliteWriter::open(&self.folder.path().join("efd.db")).unwrap();
        File {
            destination: Destination::Sqlite(writer),
            ..self
        }
    }

    fn write(&mut self, lines: &str) -> WriteResult {
        self.destination.write(lines.to_owned().into())
    }

    fn rejected(&mut self, lines: &str) -> String {
        match self.write(lines) {
            WriteResult::Rejected { message } => message,
            other => panic!("{other:?}"),
        }
    }

    /// All rows of a query, as text.
    fn rows(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(self.folder.path().join("efd.db")).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let values: Result<Vec<_>, _> = (0..columns)
                .map(|at| row.get::<_, rusqlite::types::Value>(at))
                .collect();
            Ok(format!("{:?}", values?))
        };
        statement
            .query_map([], row)
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}

#[test]
fn a_point_that_comes_again_merges_and_new_values_win() {
    let mut file = File::new();
    assert_eq!(
        file.write("lsst.sal.m a=1.5,b=2i 100\nlsst.sal.m c=\"x y\",d=true 200\n"),
        WriteResult::Written
    );
    assert_eq!(
        file.write("lsst.sal.m b=3i,e=\"new\" 100\n"),
        WriteResult::Written
    );
    // After a restart too: the table is read from the file.
    let mut file = file.again();
    assert_eq!(file.write("lsst.sal.m a=2.5 200\n"), WriteResult::Written);
    assert_eq!(
        file.rows("SELECT time, a, b, c, d, e FROM \"lsst.sal.m\" ORDER BY time"),
        [
            "[Integer(100), Real(1.5), Integer(3), Null, Null, Text(\"new\")]",
            "[Integer(200), Real(2.5), Null, Text(\"x y\"), Integer(1), Null]",
        ]
    );
}

#[test]
fn tags_are_part_of_the_key() {
    let mut file = File::new();
    let lines = "m,i=1 v=1i 5\nm,i=2 v=2i 5\nm,i=1 v=3i 5\nm v=4i 5\nm v=5i 5\n";
    assert_eq!(file.write(lines), WriteResult::Written);
    assert_eq!(
        file.rows("SELECT i, v FROM m ORDER BY i"),
        [
            "[Text(\"\"), Integer(5)]",
            "[Text(\"1\"), Integer(3)]",
            "[Text(\"2\"), Integer(2)]",
        ]
    );
}

#[test]
fn a_tag_that_comes_late_becomes_part_of_the_key() {
    let mut file = File::new();
    assert_eq!(
        file.write("m v=1i,s=\"a\" 5\nm,i=1 v=2i 5\n"),
        WriteResult::Written
    );
    let mut file = file.again();
    let lines = "m,i=1,other=x v=3i,w=0.5 5\nm,other=x v=4i 5\nm v=5i 5\nm,i=1 v=6i 5\n";
    assert_eq!(file.write(lines), WriteResult::Written);
    assert_eq!(
        file.rows("SELECT i, other, v, s, w FROM m ORDER BY i, other"),
        [
            "[Text(\"\"), Text(\"\"), Integer(5), Text(\"a\"), Null]",
            "[Text(\"\"), Text(\"x\"), Integer(4), Null, Null]",
            "[Text(\"1\"), Text(\"\"), Integer(6), Null, Null]",
            "[Text(\"1\"), Text(\"x\"), Integer(3), Null, Real(0.5)]",
        ]
    );
    assert_eq!(
        file.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"),
        ["[Text(\"m\")]"]
    );
    assert!(
        file.rejected("m,v=1 w=1.5 6\n")
            .contains("use a new file for other tags")
    );
}

#[test]
fn values_are_exact() {
    let mut file = File::new();
    file.write(
        "m a=0.1,b=5e-324,c=1.7976931348623157e308,d=-9223372036854775808i,s=\"\\\"q\\\" \\\\ \n\" 1\n",
    );
    let row = file.rows("SELECT a, b, c, d, s FROM m");
    let expected = format!(
        "[Real(0.1), Real({:?}), Real({:?}), Integer({}), Text({:?})]",
        5e-324,
        f64::MAX,
        i64::MIN,
        "\"q\" \\ \n"
    );
    assert_eq!(row, [expected]);
}

#[test]
fn a_rejected_point_leaves_nothing_of_its_batch_and_says_why() {
    let mut file = File::new();
    file.write("m v=1.5 1\n");
    let why = file.rejected("m new=1i 2\nm v=2i 3\n");
    assert_eq!(why, "field type conflict: field \"v\" is INTEGER, column is REAL");
    assert_eq!(file.rows("SELECT count(*) FROM m"), ["[Integer(1)]"]);
    assert_eq!(
        file.rows("SELECT count(*) FROM pragma_table_info('m') WHERE name = 'new'"),
        ["[Integer(0)]"]
    );
    // What was rolled back is not remembered.
    assert_eq!(file.write("m new=1i 2\n"), WriteResult::Written);
    assert!(file.rejected("m V=1.5 4\n").contains("by case alone"));
}

#[test]
fn a_table_can_only_be_so_wide() {
    let mut file = File::new();
    let wide = |fields: usize| {
        let fields: Vec<String> = (0..fields).map(|at| format!("f{at}=1i")).collect();
        format!("m {} 1\n", fields.join(","))
    };
    assert_eq!(file.write(&wide(1_999)), WriteResult::Written);
    assert!(file.rejected(&wide(2_000)).contains("2000 columns"));
}

#[test]
fn no_name_can_be_more_than_a_name() {
    let mut file = File::new();
    // Names like these never come from a plan; the quoting stands on its own all the same.
    let name = "x\"(a);DROP\tTABLE\tm;--";
    file.write("m v=1i 1\n");
    assert_eq!(file.write(&format!("{name} {name}=1i 1\n")), WriteResult::Written);
    let tables = file.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    assert_eq!(tables, ["[Text(\"m\")]".to_owned(), format!("[Text({name:?})]")]);
}

#[test]
fn measurements_that_differ_by_case_alone_do_not_share_a_table() {
    let mut file = File::new();
    assert_eq!(file.write("h.Foo v=1i 1\n"), WriteResult::Written);
    let why = file.rejected("h.foo v=2i 2\n");
    assert!(
        why.contains("measurement \"h.foo\" differs from table \"h.Foo\" by case alone"),
        "{why}"
    );
    // In one request, and after a restart, too.
    assert!(
        file.rejected("h.Bar v=1i 1\nh.bar v=2i 2\n")
            .contains("by case alone")
    );
    let mut file = file.again();
    assert!(file.rejected("H.FOO v=3i 3\n").contains("by case alone"));
    assert_eq!(file.write("h.Foo v=4i 4\n"), WriteResult::Written);
    assert_eq!(
        file.rows("SELECT v FROM \"h.Foo\" ORDER BY time"),
        ["[Integer(1)]", "[Integer(4)]"]
    );
}

#[test]
fn all_points_at_fault_are_named_at_once() {
    let mut file = File::new();
    file.write("m v=1.5 1\n");
    let why = file.rejected("m v=1i 2\nm v=2.5 3\nm V=1 4\nm v=3.5 5\n");
    assert!(
        why.contains("; line 1: field type conflict") && why.contains("; line 3: column \"V\" differs"),
        "{why}"
    );
    assert!(!why.contains("line 2") && !why.contains("line 4"), "{why}");
    assert_eq!(file.rows("SELECT count(*) FROM m"), ["[Integer(1)]"]);
}

#[test]
fn a_dropped_table_is_created_again() {
    let mut file = File::new();
    file.write("m v=1i 1\n");
    let other = Connection::open(file.folder.path().join("efd.db")).unwrap();
    other.execute_batch("DROP TABLE m").unwrap();
    drop(other);
    assert_eq!(file.write("m v=2i 2\n"), WriteResult::Written);
    assert_eq!(file.rows("SELECT v FROM m"), ["[Integer(2)]"]);
}

impl File {
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("efd.db")
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("efd.db-wal")
    }

    /// Writes, and returns why the file is unavailable.
    fn away(&mut self, lines: &str) -> String {
        match self.write(lines) {
            WriteResult::Away { reason, message } => {
                assert_eq!(reason, "file");
                message
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_removed_file_is_unavailable_until_there_is_one() {
    for logs_too in [false, true] {
        let mut file = File::new();
        assert_eq!(file.write("m v=1i 1\n"), WriteResult::Written);
        std::fs::remove_file(file.path()).unwrap();
        if logs_too {
            std::fs::remove_file(file.log()).unwrap();
            std::fs::remove_file(file.folder.path().join("efd.db-shm")).unwrap();
        }
        for _ in 0..2 {
            assert!(
                file.away("m v=2i 2\n")
                    .contains("was removed while it was written to")
            );
            assert!(!file.path().exists(), "nobody but the operator makes another");
        }
        std::fs::write(file.path(), "").unwrap();
        assert_eq!(file.write("m v=2i 2\n"), WriteResult::Written);
        assert_eq!(file.write("m v=3i 3\n"), WriteResult::Written);
        assert_eq!(
            file.rows("SELECT v FROM m ORDER BY time"),
            ["[Integer(2)]", "[Integer(3)]"]
        );
    }
}

#[test]
fn a_file_that_was_moved_away_and_back_keeps_all_its_points() {
    let mut file = File::new();
    file.write("m v=1i 1\n");
    let aside = file.folder.path().join("aside.db");
    std::fs::rename(file.path(), &aside).unwrap();
    file.away("m v=2i 2\n");
    std::fs::rename(&aside, file.path()).unwrap();
    assert_eq!(file.write("m v=2i 2\n"), WriteResult::Written);
    assert_eq!(
        file.rows("SELECT v FROM m ORDER BY time"),
        ["[Integer(1)]", "[Integer(2)]"]
    );
}

#[test]
fn another_file_in_its_place_is_used_and_not_damaged() {
    let mut file = File::new();
    file.write("m v=1i 1\n");
    // Another database, whole, that was written elsewhere; the old one's log is still beside it.
    let aside = file.folder.path().join("aside.db");
    let other = Connection::open(&aside).unwrap();
    other
        .execute_batch("CREATE TABLE n (a INTEGER); INSERT INTO n VALUES (7)")
        .unwrap();
    drop(other);
    assert!(file.log().exists());
    std::fs::rename(&aside, file.path()).unwrap();
    assert_eq!(file.write("m v=2i 2\n"), WriteResult::Written);
    assert_eq!(file.rows("SELECT a FROM n"), ["[Integer(7)]"]);
    assert_eq!(file.rows("SELECT v FROM m"), ["[Integer(2)]"]);
    assert_eq!(file.rows("PRAGMA integrity_check"), ["[Text(\"ok\")]"]);
}

#[test]
fn a_log_that_was_removed_loses_nothing() {
    let mut file = File::new();
    file.write("m v=1i 1\n");
    std::fs::remove_file(file.log()).unwrap();
    assert_eq!(file.write("m v=2i 2\n"), WriteResult::Written);
    assert_eq!(
        file.rows("SELECT v FROM m ORDER BY time"),
        ["[Integer(1)]", "[Integer(2)]"]
    );
}

#[test]
fn a_folder_that_vanished_is_waited_for() {
    let mut file = File::new();
    let folder = file.folder.path().join("mount");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("efd.db");
    file.destination = Destination::Sqlite(SqliteWriter::open(&path).unwrap());
    file.write("m v=1i 1\n");
    let elsewhere = file.folder.path().join("elsewhere");
    std::fs::rename(&folder, &elsewhere).unwrap();
    file.away("m v=2i 2\n");
    // An empty mount point is not a reason to begin a database on it.
    std::fs::create_dir(&folder).unwrap();
    file.away("m v=2i 2\n");
    assert!(!path.exists());
    std::fs::remove_dir(&folder).unwrap();
    std::fs::rename(&elsewhere, &folder).unwrap();
    assert_eq!(file.write("m v=2i 2\n"), WriteResult::Written);
    let count = |of: &Connection| of.query_row("SELECT count(*) FROM m", [], |row| row.get::<_, i64>(0));
    assert_eq!(count(&Connection::open(&path).unwrap()).unwrap(), 2);
}

#[test]
fn a_truncated_or_overwritten_file_is_unavailable_until_it_is_whole() {
    let whole = |file: &mut File| {
        let lines: String = (0..5_000)
            .map(|at| format!("m v={at}i,s=\"{at:01000}\" {at}\n"))
            .collect();
        assert_eq!(file.write(&lines), WriteResult::Written);
    };
    let mut file = File::new();
    whole(&mut file);
    let bytes = std::fs::metadata(file.path()).unwrap().len();
    assert!(bytes > 500_000, "a checkpoint has been: {bytes}");
    let cut = std::fs::OpenOptions::new().write(true).open(file.path()).unwrap();
    cut.set_len(bytes / 2).unwrap();
    drop(cut);
    let why = file.away("m v=1i 9999\n");
    assert!(why.contains("damaged") || why.contains("malformed"), "{why}");
    file.away("m v=1i 9999\n");
    // Put another in its place, as an operator does.
    for name in ["efd.db", "efd.db-wal", "efd.db-shm"] {
        let _ = std::fs::remove_file(file.folder.path().join(name));
    }
    std::fs::write(file.path(), "").unwrap();
    assert_eq!(file.write("m v=1i 9999\n"), WriteResult::Written);

    std::fs::write(file.folder.path().join("junk"), vec![b'x'; 8_192]).unwrap();
    std::fs::rename(file.folder.path().join("junk"), file.path()).unwrap();
    for _ in 0..2 {
        let why = file.away("m v=1i 9999\n");
        assert!(why.contains("not a database"), "{why}");
    }
}
