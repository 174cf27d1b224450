//! Ports of 127.0.0.1 that nobody listens on.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

/// A port that was free a moment ago.
pub fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits until somebody listens, or `alive` says that nobody ever will.
pub fn wait_for(port: u16, alive: impl FnMut() -> bool) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let there = || TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
    wait_until(there, alive)
}

/// Waits until something is so, or `alive` says that it never will be.
#[expect(clippy::disallowed_methods, reason = "a server can only be asked whether it is there")]
pub fn wait_until(mut it_is: impl FnMut() -> bool, mut alive: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline && alive() {
        if it_is() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
