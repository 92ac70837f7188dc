//! The fuzzer: libFuzzer gives bytes, the parser named in `PARSER` reads them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "../parsers/mod.rs"]
mod parsers;

static PARSER: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("PARSER").unwrap_or_default();
    let list = || parsers::PARSERS.iter().map(|parser| format!("\n  {:<10} {}", parser.name, parser.what));
    let known = parsers::PARSERS.iter().find(|parser| parser.name == name);
    known.unwrap_or_else(|| panic!("PARSER={name} is none of{}", list().collect::<String>())).read
});

fuzz_target!(|data: &[u8]| PARSER(data));
