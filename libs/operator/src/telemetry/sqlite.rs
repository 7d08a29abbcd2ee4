//! A field's values from influxsink's SQLite file: one table for each measurement, `time` in microseconds.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::series::{MAX_NAMES, Point, Quantity, Series, TimeRange};
use crate::failure::Failure;

/// How long a writer is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn series(path: &Path, of: &Quantity, range: TimeRange, most: usize) -> Result<Series, Failure> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed(path))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed(path))?;
    if !has_column(&connection, of).map_err(failed(path))? {
        return Ok(Series::default());
    }
    read(&connection, of, range, most).map_err(failed(path))
}

fn read(
    connection: &Connection,
    of: &Quantity,
    range: TimeRange,
    most: usize,
) -> Result<Series, rusqlite::Error> {
    let (table, column) = (quoted(&of.measurement), quoted(&of.field));
    // Texts have no place on an axis, except for the names of an enumeration.
    let types = if of.symbols.is_empty() {
        "'real', 'integer'"
    } else {
        "'text'"
    };
    let within = format!("FROM {table} WHERE time >= ?1 AND time < ?2 AND typeof({column}) IN ({types})");
    let count: i64 = connection.query_row(
        &format!("SELECT count(*) {within}"),
        params![range.from, range.to],
        |row| row.get(0),
    )?;
    let count = count.unsigned_abs();
    if !of.symbols.is_empty() {
        let mut statement = connection.prepare(&format!(
            "SELECT time, {column} {within} ORDER BY time DESC LIMIT {MAX_NAMES}"
        ))?;
        let rows = statement.query_map(params![range.from, range.to], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let mut names: Vec<(i64, String)> = rows.collect::<Result<_, _>>()?;
        names.reverse();
        return Ok(Series::of_names(of, &names, count, range, most));
    }
    if count <= most as u64 {
        let mut statement = connection.prepare(&format!("SELECT time, {column} {within} ORDER BY time"))?;
        let rows = statement.query_map(params![range.from, range.to], |row| {
            Ok(Point::single(row.get(0)?, number(row, 1)?))
        })?;
        return Ok(Series {
            points: rows.collect::<Result<_, _>>()?,
            count,
            ..Series::default()
        });
    }
    let stretch = range.stretch(most);
    let mut statement = connection.prepare(&format!(
        "SELECT min(time), avg({column}), min({column}), max({column}) {within} GROUP BY (time - ?1) / ?3 ORDER BY 1"
    ))?;
    let rows = statement.query_map(params![range.from, range.to, stretch], |row| {
        Ok(Point {
            time: row.get(0)?,
            value: number(row, 1)?,
            low: number(row, 2)?,
            high: number(row, 3)?,
        })
    })?;
    Ok(Series {
        points: rows.collect::<Result<_, _>>()?,
        count,
        stretch: Some(stretch),
        out_of: None,
    })
}

/// Both are looked up by name, so that neither can be anything else in a statement.
fn has_column(connection: &Connection, of: &Quantity) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2";
    let found = connection.query_row(sql, [&of.measurement, &of.field], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

fn number(row: &rusqlite::Row<'_>, index: usize) -> Result<f64, rusqlite::Error> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(index)? {
        ValueRef::Real(value) => value,
        ValueRef::Integer(value) => value as f64,
        _ => f64::NAN,
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> Failure {
    let doing = format!("reading {}", path.display());
    move |error| Failure::Io {
        doing: doing.clone(),
        source: std::io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_reduced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sqlite");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch("CREATE TABLE \"a\"\"b\" (time INTEGER, \"x y\" REAL, text TEXT)")
            .unwrap();
        for time in 0..100 {
            let row = params![time, time as f64];
            writer
                .execute("INSERT INTO \"a\"\"b\" VALUES (?1, ?2, 'word')", row)
                .unwrap();
        }
        let quantity = |measurement: &str, field: &str| Quantity {
            measurement: measurement.to_owned(),
            field: field.to_owned(),
            symbols: Vec::new(),
        };
        let range = TimeRange { from: 10, to: 60 };
        let all = series(&path, &quantity("a\"b", "x y"), range, 50).unwrap();
        assert_eq!(
            (all.points.len(), all.points[0], all.stretch),
            (50, Point::single(10, 10.0), None)
        );
        let few = series(&path, &quantity("a\"b", "x y"), range, 5).unwrap();
        assert_eq!((few.points.len(), few.count, few.stretch), (5, 50, Some(10)));
        assert_eq!(
            (few.points[0].low, few.points[0].value, few.points[0].high),
            (10.0, 14.5, 19.0)
        );
        for (measurement, field) in [
            ("a\"b", "none"),
            ("none", "x y"),
            ("a\"b", "text"),
            ("a\"b", "1=1) --"),
        ] {
            let nothing = series(&path, &quantity(measurement, field), range, 5).unwrap();
            assert!(nothing.points.is_empty(), "{measurement} {field}");
        }
        let named = Quantity {
            symbols: vec!["word".to_owned()],
            ..quantity("a\"b", "text")
        };
        let names = series(&path, &named, range, 50).unwrap();
        assert_eq!(names.points, [Point::single(10, 0.0), Point::single(59, 0.0)]);
        assert!(series(&folder.path().join("none"), &quantity("a", "b"), range, 5).is_err());
    }
}
