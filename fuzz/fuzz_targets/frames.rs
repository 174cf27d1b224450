//! Bytes of a child, as libFuzzer makes them up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| runner::check_frames(bytes));
