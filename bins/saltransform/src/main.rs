//! PLACE
fn main() {}
