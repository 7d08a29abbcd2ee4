//! A table's key: the time and the tags. A tag that no earlier point had becomes part of it, with '' in the rows that
//! are there, as InfluxDB starts a new series for it. For [`super::table`].

use rusqlite::Transaction;

/// Declares the columns of the key, and the key itself: `("time" INTEGER NOT NULL, … , PRIMARY KEY (…)`. `fields` are the
/// declarations of the other columns.
pub(super) fn create(
    transaction: &Transaction<'_>,
    table: &str,
    tags: &[String],
    fields: &[String],
) -> rusqlite::Result<()> {
    let key: String = tags.iter().map(|tag| format!(", {}", quoted(tag))).collect();
    let columns: String = tags
        .iter()
        .map(|tag| format!(", {} TEXT NOT NULL DEFAULT ''", quoted(tag)))
        .chain(fields.iter().map(|column| format!(", {column}")))
        .collect();
    transaction.execute_batch(&format!(
        "CREATE TABLE {} (\"time\" INTEGER NOT NULL{columns}, PRIMARY KEY (\"time\"{key}))",
        quoted(table)
    ))
}

/// Makes the table again with these tags in its key, which are its own and new ones: SQLite cannot change a key in
/// place. It happens once for each tag that comes late; a table's own indexes are lost.
pub(super) fn widen(transaction: &Transaction<'_>, table: &str, tags: &[String]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("SELECT name, type, pk FROM pragma_table_info(?1)")?;
    let columns: Vec<(String, String, u32)> = statement
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let fields: Vec<String> = columns
        .iter()
        .filter(|(_, _, key)| *key == 0)
        .map(|(name, of, _)| format!("{} {of}", quoted(name)))
        .collect();
    let names: Vec<String> = columns.iter().map(|(name, ..)| quoted(name)).collect();
    let (names, wider) = (names.join(", "), format!("{table} with another key"));
    create(transaction, &wider, tags, &fields)?;
    let (table, wider) = (quoted(table), quoted(&wider));
    transaction.execute_batch(&format!(
        "INSERT INTO {wider} ({names}) SELECT {names} FROM {table}; DROP TABLE {table}; ALTER TABLE {wider} RENAME TO {table}"
    ))
}

/// An SQL identifier that can only be a name.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
