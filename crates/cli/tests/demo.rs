//! The demo, as a newcomer starts it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::process::Command;

#[test]
fn the_demo_tells_its_story_and_ends_by_itself() {
    let output = Command::new(env!("CARGO_BIN_EXE_bifrost")).arg("demo").output().unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}\n{story}");
    let signs = [
        "Acme     → \"[urgency 5] #4713 Backup failed twice\"",
        "Globex   → \"#4711 Printer of globex is offline\"",
        "shared.halopsa   org    version 2",
        "✓ version 2 ran",
        "→ \"#4711 Printer of acme is offline\"",
        "GET acme/prices.py → 404 Not Found",
        "bifrost://acme/shared/halopsa.py",
        "bifrost://global/shared/halopsa.py",
        "ms in all",
    ];
    for sign in signs {
        assert!(story.contains(sign), "`{sign}` is not in:\n{story}");
    }
    assert!(!story.contains('\x1b'), "no colours where nobody sees them");
}
