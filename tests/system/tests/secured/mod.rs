//! Against services with access control: a broker that requires certificates, passwords or tokens and checks
//! permissions, a registry with a password, and an InfluxDB, all over TLS. The binaries run as processes,
//! because everything they print is checked too.

mod access;
mod console;
mod database;
mod lacking;
mod mechanisms;
mod operator;
mod program;
mod refused;
mod rights;
mod secrets;
mod stack;
