//! Streams of the real binaries, read and written again by the real NumPy.

use std::path::PathBuf;
use std::process::Command;

/// A Python that can import numpy: that of `make golden`, that of `make setup`, else the system's.
fn python_with_numpy() -> Option<PathBuf> {
    let build = support::root().join("build");
    [build.join("golden-venv/bin/python"), build.join("venv/bin/python"), "python3".into()]
        .into_iter()
        .find(|python| Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success()))
}

#[test]
fn numpy_reads_our_streams_and_we_read_numpys_byte_for_byte() {
    let Some(python) = python_with_numpy() else {
        println!("skipped: no Python with numpy (make setup, or make golden, brings one)");
        return;
    };
    // one word of each tool first, so that a missing binary is said in the words of every other test
    support::run(&support::root(), "npy --version").ok();
    support::run(&support::root(), "rsa --version").ok();
    let script = support::root().join("scripts/check-numpy-interop.py");
    let out = Command::new(python).arg("-B").arg(script).arg(support::bin_dir()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("checks agree"), "{said}");
    println!("{said}");
}
