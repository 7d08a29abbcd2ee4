//! SQLite files: the same points, by the same rules.

use influxsink::sqlite::SqliteWriter;
use influxsink::write::{Answer, Destination};
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

    fn write(&mut self, lines: &str) -> Answer {
        self.destination.write(lines.to_owned().into())
    }

    fn rejected(&mut self, lines: &str) -> String {
        match self.write(lines) {
            Answer::Rejected { message } => message,
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
        Answer::Written
    );
    assert_eq!(file.write("lsst.sal.m b=3i,e=\"new\" 100\n"), Answer::Written);
    // After a restart too: the table is read from the file.
    let mut file = file.again();
    assert_eq!(file.write("lsst.sal.m a=2.5 200\n"), Answer::Written);
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
    assert_eq!(file.write(lines), Answer::Written);
    assert_eq!(
        file.rows("SELECT i, v FROM m ORDER BY i"),
        [
            "[Text(\"\"), Integer(5)]",
            "[Text(\"1\"), Integer(3)]",
            "[Text(\"2\"), Integer(2)]",
        ]
    );
    assert!(
        file.rejected("m,other=1 v=1i 6\n")
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
    assert_eq!(file.write("m new=1i 2\n"), Answer::Written);
    assert!(file.rejected("m V=1.5 4\n").contains("by case alone"));
}

#[test]
fn a_table_can_only_be_so_wide() {
    let mut file = File::new();
    let wide = |fields: usize| {
        let fields: Vec<String> = (0..fields).map(|at| format!("f{at}=1i")).collect();
        format!("m {} 1\n", fields.join(","))
    };
    assert_eq!(file.write(&wide(1_999)), Answer::Written);
    assert!(file.rejected(&wide(2_000)).contains("2000 columns"));
}

#[test]
fn no_name_can_be_more_than_a_name() {
    let mut file = File::new();
    // Names like these never come from a plan; the quoting stands on its own all the same.
    let name = "x\"(a);DROP\tTABLE\tm;--";
    file.write("m v=1i 1\n");
    assert_eq!(file.write(&format!("{name} {name}=1i 1\n")), Answer::Written);
    let tables = file.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    assert_eq!(tables, ["[Text(\"m\")]".to_owned(), format!("[Text({name:?})]")]);
}
