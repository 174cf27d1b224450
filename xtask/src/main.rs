//! Chores of this repository: `cargo xtask tidy` holds the rules that no compiler knows.
#![allow(clippy::print_stdout, reason = "a chore talks to people")]

mod servers;
mod source;
mod tidy;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(false),
        ["tidy", "--bless"] => tidy::run(true),
        ["servers", "--", command @ ..] => servers::run(command, false),
        ["servers", "--durable", "--", command @ ..] => servers::run(command, true),
        _ => bail!(
            "usage: cargo xtask tidy [--bless]   (--bless rewrites the golden lists)\n       \
             cargo xtask servers [--durable] -- COMMAND [ARGUMENT…]   (PostgreSQL beside the command)"
        ),
    }
}
