//! The sink's tests, along the data's way: records against apache-avro's own encoder, lines against a parser
//! written by another hand, deliveries against a faulty InfluxDB, SQLite files, and all of it together behind
//! an embedded broker and registry.

mod decode;
mod delivery;
mod end_to_end;
mod line;
mod points;
mod sqlite;
