//! Against services that let nobody in unasked: a broker that asks for certificates, passwords or tokens and then for
//! rights, a registry with a password, an InfluxDB, all over TLS. The binaries run as processes, as everything that they
//! say is judged too.

mod access;
mod database;
mod lacking;
mod mechanisms;
mod operator;
mod program;
mod refused;
mod rights;
mod secrets;
mod stack;
