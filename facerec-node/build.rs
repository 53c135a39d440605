//! Lets the library leave Node's symbols for Node to provide.

fn main() {
    napi_build::setup();
}
