//! What every test of a real binary needs: run it, feed it, read what it wrote.
//!
//! The binaries are those beside the running test (`target/<profile>/`); `make test` builds them first.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // this is test code in a library's clothes

use ndarray::Array2;
use npy_stream::{Array, Matrix, NpyReader, write_matrix};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Exit status and both streams of a finished command.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Bytes on stdout.
    pub stdout: Vec<u8>,
    /// Text on stderr.
    pub stderr: String,
}

impl Outcome {
    /// Asserts exit 0 and gives stdout.
    #[track_caller]
    pub fn ok(self) -> Vec<u8> {
        assert_eq!(self.code, 0, "stderr: {}", self.stderr);
        self.stdout
    }

    /// Asserts exit 0 and gives stdout as text.
    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8(self.ok()).unwrap()
    }

    /// Asserts this exit code, nothing on stdout, no panic, and a last line on stderr (before it only notes) that
    /// together with them holds every one of `parts`.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) -> String {
        assert_eq!(self.code, code, "stdout: {:?} stderr: {}", String::from_utf8_lossy(&self.stdout), self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {:?}", self.stderr);
        }
        if code == 1 {
            assert!(self.stdout.is_empty(), "an error wrote {} bytes to stdout", self.stdout.len());
            let last = self.stderr.lines().last().unwrap_or_default();
            let tool = last.split(": ").next().unwrap_or_default();
            assert!(bin_dir().join(tool).exists(), "the last line is not `tool: ...`: {}", self.stderr);
        }
        self.stderr
    }
}

/// The workspace root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The folder of the binaries under test.
pub fn bin_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    exe.parent().unwrap().parent().unwrap().to_path_buf()
}

/// A command for one of our tools, run in `dir`.
pub fn tool(name: &str, dir: &Path) -> Command {
    let path = bin_dir().join(name);
    assert!(path.exists(), "{} is not built; run `make test` (or cargo build --release) first", path.display());
    let mut command = Command::new(path);
    command.current_dir(dir).stdin(Stdio::null()).env_remove("SLURM_CPUS_PER_TASK");
    command.env("ORT_DYLIB_PATH", onnxruntime());
    command
}

/// Runs a tool with whitespace-separated arguments (single quotes keep words together).
#[track_caller]
pub fn run(dir: &Path, line: &str) -> Outcome {
    pipe(dir, line, &[])
}

/// Runs a tool as [`run`] does, with these bytes on stdin.
#[track_caller]
pub fn pipe(dir: &Path, line: &str, stdin: &[u8]) -> Outcome {
    let words = split(line);
    let mut child = tool(&words[0], dir)
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    let feeder = std::thread::spawn(move || {
        // The tool may stop before it has read everything; that is its right.
        let _ = input.write_all(&bytes);
    });
    let out = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Outcome {
        code: out.status.code().unwrap_or(-1),
        stdout: out.stdout,
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// Runs a line in `bash -o pipefail` with our tools on the PATH.
#[track_caller]
pub fn sh(dir: &Path, line: &str) -> Outcome {
    let path = format!("{}:{}", bin_dir().display(), std::env::var("PATH").unwrap());
    let out = Command::new("bash")
        .args(["-o", "pipefail", "-c", line])
        .current_dir(dir)
        .env("PATH", path)
        .env("ORT_DYLIB_PATH", onnxruntime())
        .env_remove("SLURM_CPUS_PER_TASK")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Outcome {
        code: out.status.code().unwrap_or(-1),
        stdout: out.stdout,
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

fn split(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.into());
        } else {
            words.extend(part.split_whitespace().map(String::from));
        }
    }
    words
}

/// Where `make setup` puts ONNX Runtime, or what `ORT_DYLIB_PATH` says.
pub fn onnxruntime() -> PathBuf {
    match std::env::var_os("ORT_DYLIB_PATH") {
        Some(path) => path.into(),
        None => root().join("build/onnxruntime/libonnxruntime.so"),
    }
}

/// The folder of real data: `CATSEL_DATA`, else `../shared/data` beside the project; `None` (and a line that says so)
/// when it is absent, and the test that asked returns.
pub fn data(part: &str) -> Option<PathBuf> {
    let base = std::env::var_os("CATSEL_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = base.join(part);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("{} is absent (set CATSEL_DATA)", path.display()));
    None
}

/// Says that the test that calls this (and returns) has not tested: `make test` counts these lines.
pub fn skipped(why: &str) {
    println!("skipped: {why}");
}

/// Writes a labelled matrix and returns its bytes.
pub fn save(path: &Path, matrix: &Array2<f64>, labels: Option<&[String]>) -> Vec<u8> {
    let bytes = bytes_of(matrix, labels);
    File::create(path).unwrap().write_all(&bytes).unwrap();
    bytes
}

/// The bytes of a labelled f8 matrix.
pub fn bytes_of(matrix: &Array2<f64>, labels: Option<&[String]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F8(matrix.clone()), labels).unwrap();
    bytes
}

/// All arrays in these bytes.
#[track_caller]
pub fn arrays(bytes: &[u8]) -> Vec<Array> {
    NpyReader::from_pipe(std::io::Cursor::new(bytes.to_vec())).read_all().unwrap()
}

/// The only matrix in these bytes, in f8, with its labels.
#[track_caller]
pub fn matrix(bytes: &[u8]) -> (Array2<f64>, Option<Vec<String>>) {
    let mut all = arrays(bytes);
    assert_eq!(all.len(), 1, "expected one array");
    let (m, labels) = all.remove(0).into_matrix().unwrap();
    (m.into_f64(), labels.ids)
}

/// A row of a table: column name -> cell.
pub type Row = HashMap<String, String>;

/// Rows of a CSV text.
#[track_caller]
pub fn rows(csv_text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(csv_text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    reader.records().map(|r| names.iter().cloned().zip(r.unwrap().iter().map(String::from)).collect()).collect()
}

/// The number in a column.
#[track_caller]
pub fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

/// Asserts that two numbers of order 1 are equal but for the rounding of some hundred operations.
#[track_caller]
pub fn near(found: f64, expected: f64) {
    within(found, expected, 1e-12);
}

/// Asserts that two numbers differ by no more than `tolerance`.
#[track_caller]
pub fn within(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// Ids `s0`, `s1`, ...
pub fn ids(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("s{i}")).collect()
}

/// A small deterministic sequence of numbers in (-1, 1) for test matrices (a 64-bit linear congruence).
pub fn noise(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Array2::from_shape_simple_fn((rows, columns), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

/// Mean, by its definition.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Median, by its definition.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

/// Variance (n - 1), by its definition.
pub fn variance(values: &[f64]) -> f64 {
    values.iter().map(|v| (v - mean(values)).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

/// Pearson, by its definition.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| (a - mean(x)) * (b - mean(y))).sum::<f64>();
    sum(x, y) / (sum(x, x) * sum(y, y)).sqrt()
}
