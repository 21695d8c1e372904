//! How much memory a run may still take, asked before it is taken.
//!
//! Free is the least of what the machine, the control groups on the whole path of this process (Slurm's and a
//! container's limits), `ulimit -v` and `ulimit -d` leave. There is no safety factor: what is just free is allowed.
//! Slurm's variables (`SLURM_MEM_PER_NODE`) are not read, since they are a request; where it is a limit, a control
//! group holds it.
//!
//! Two places ask. A reader that knows a shape from a header calls [`require_memory`], whose message names the input.
//! Everything else, also within libraries, goes through the [allocator](Careful), which asks before it takes a large
//! block. So a run ends with one line and exit 1, not by the kernel's hand and not with a backtrace.

use crate::last_words;
use anyhow::{Result, bail};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// What is free, and whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Free {
    bytes: u64,
    limit: &'static str,
}

const MACHINE: &str = "on this machine";
const GROUP: &str = "under the memory limit of this job or container";
const ADDRESSES: &str = "under ulimit -v";
const DATA: &str = "under ulimit -d";

/// A number of bytes as people say it: 40.0 GB, 512.0 MB.
pub struct Bytes(pub u128);

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000_000 => write!(f, "{} bytes", self.0),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", self.0 as f64 / 1e6),
            _ => write!(f, "{:.1} GB", self.0 as f64 / 1e9),
        }
    }
}

/// An error where `what` (a plural, as `big.npy: 9 x 9 f4 values`) needs more bytes than are free; `remedy` says what
/// to do other than to give the job more memory.
pub fn require_memory(what: impl Display, bytes: u128, remedy: &str) -> Result<()> {
    // A small need is not worth the question.
    if bytes < ASK_FROM as u128 {
        return Ok(());
    }
    match free() {
        Some(Free { bytes: free, limit }) if bytes > u128::from(free) => bail!(
            "{what} need {} of memory, and {} are free {limit}; {remedy}, or give the job more memory",
            Bytes(bytes),
            Bytes(free.into())
        ),
        _ => Ok(()),
    }
}

/// Inputs opened so far, for the message of the allocator.
static OPENED: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub(crate) fn opened(input: &str) {
    let mut opened = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !opened.iter().any(|name| name == input) {
        opened.push(input.into());
    }
}

/// The least that is left by any limit; `None` where none is known.
fn free() -> Option<Free> {
    let own = Own::read();
    // Taken but not yet touched: the kernel will count it only when it is.
    let promised = (LIVE.load(Ordering::Relaxed) as u64).saturating_sub(own.resident);
    let of_pages = [machine(), groups()].into_iter().flatten();
    let of_pages = of_pages.map(|free| Free { bytes: free.bytes.saturating_sub(promised), ..free });
    let limits = [(libc::RLIMIT_AS, own.addresses, ADDRESSES), (libc::RLIMIT_DATA, own.data, DATA)];
    let of_addresses = limits.into_iter().filter_map(|(resource, used, limit)| {
        Some(Free { bytes: resource_limit(resource)?.saturating_sub(used), limit })
    });
    of_pages.chain(of_addresses).min_by_key(|free| free.bytes)
}

/// What this process has, in bytes.
#[derive(Default)]
struct Own {
    addresses: u64,
    data: u64,
    resident: u64,
}

impl Own {
    fn read() -> Own {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |key| kilobytes(&status, key).unwrap_or(0);
        Own { addresses: bytes("VmSize:"), data: bytes("VmData:"), resident: bytes("RssAnon:") }
    }
}

/// The bytes behind `key` in a file of lines `key   17 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn machine() -> Option<Free> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let available = kilobytes(&info, "MemAvailable:")?;
    // Swap is slow, but what fits into it fits.
    Some(Free { bytes: available + kilobytes(&info, "SwapFree:").unwrap_or(0), limit: MACHINE })
}

// The type of a resource's name differs between systems.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
type Resource = libc::c_int;

fn resource_limit(resource: Resource) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes into the structure it is given.
    let known = unsafe { libc::getrlimit(resource, &mut limit) } == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// The tightest of the control groups that hold this process.
fn groups() -> Option<Free> {
    static FOLDERS: OnceLock<Vec<Group>> = OnceLock::new();
    let folders = FOLDERS.get_or_init(|| {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        groups_of(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
            .into_iter()
            .filter(|group| group.limit().is_some())
            .collect()
    });
    folders.iter().filter_map(Group::free).map(|bytes| Free { bytes, limit: GROUP }).min_by_key(|free| free.bytes)
}

/// One control group that can limit memory.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    folder: PathBuf,
    /// The unified hierarchy, or the memory controller of the old one.
    unified: bool,
}

impl Group {
    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(file)).ok()
    }

    /// `None` without a limit (`max`, and in the old hierarchy a number near 2^63).
    fn limit(&self) -> Option<u64> {
        let file = if self.unified { "memory.max" } else { "memory.limit_in_bytes" };
        self.read(file)?.trim().parse().ok().filter(|limit| *limit < 1 << 62)
    }

    fn free(&self) -> Option<u64> {
        let limit = self.limit()?;
        let (file, prefix) = if self.unified { ("memory.current", "") } else { ("memory.usage_in_bytes", "total_") };
        let used: u64 = self.read(file)?.trim().parse().ok()?;
        // Pages of files are counted as used and given back when memory is needed.
        let stat = self.read("memory.stat").unwrap_or_default();
        let pages = |key: &str| -> u64 {
            let value = stat.lines().find_map(|line| line.strip_prefix(prefix)?.strip_prefix(key)?.strip_prefix(' '));
            value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
        };
        Some(limit.saturating_sub(used.saturating_sub(pages("active_file") + pages("inactive_file"))))
    }
}

/// The groups of /proc/self/cgroup, from the innermost to the root, at the places where /proc/self/mountinfo mounts
/// them.
fn groups_of(own: &str, mounts: &str) -> Vec<Group> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let unified = controllers.is_empty();
        if !unified && !controllers.split(',').any(|controller| controller == "memory") {
            continue;
        }
        let Some((root, mount)) = mounts.lines().find_map(|line| mounted(line, unified)) else { continue };
        // In a container the path may be the host's, above what is mounted.
        let inner = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        // Through its components, which have no slash at the end.
        let inside: PathBuf = mount.join(inner).components().collect();
        let below_mount = |folder: &&Path| folder.starts_with(&mount);
        let groups = inside.ancestors().take_while(below_mount);
        found.extend(groups.map(|folder| Group { folder: folder.to_path_buf(), unified }));
    }
    found
}

/// Root and place of a mount of control groups: `31 23 0:28 ROOT PLACE rw - cgroup cgroup rw,memory`.
fn mounted(line: &str, unified: bool) -> Option<(&str, PathBuf)> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, place) = (fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (kind, options) = (fields.next()?, fields.nth(1).unwrap_or(""));
    let wanted = match unified {
        true => kind == "cgroup2",
        false => kind == "cgroup" && options.split(',').any(|option| option == "memory"),
    };
    // mountinfo spells a space as \040.
    wanted.then(|| (root, PathBuf::from(place.replace("\\040", " "))))
}

/// Blocks of at least so many bytes are counted.
const COUNT_FROM: usize = 64 << 10;
/// A run that takes less than this in all never asks.
const ASK_FROM: usize = 32 << 20;

/// Bytes in counted blocks.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// Bytes that may be taken before the next question: reading /proc costs as much as touching a few hundred pages.
static ALLOWANCE: AtomicI64 = AtomicI64::new(ASK_FROM as i64);
static ASKING: AtomicBool = AtomicBool::new(false);

/// The system's allocator, but a block that is not free to take ends the program with a message and 1.
///
/// An allocator cannot tell a caller who would handle a refusal (`try_reserve`) from one who would abort. Nobody in
/// catsel goes on without memory it asked for, so all end alike.
pub struct Careful;

#[global_allocator]
static ALLOCATOR: Careful = Careful;

// SAFETY: every block comes from, and goes back to, the system's allocator with the layout it was asked with; a null
// pointer is never returned.
unsafe impl GlobalAlloc for Careful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise about `layout` is handed on.
        there(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        there(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        uncount(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        uncount(layout.size());
        count_growth(size, size.saturating_sub(layout.size()));
        // SAFETY: as above.
        there(unsafe { System.realloc(block, layout, size) }, size)
    }
}

#[inline]
fn count(size: usize) {
    if size >= COUNT_FROM {
        count_large(size, size);
    }
}

/// A block that grows in place needs only what it grows by.
#[inline]
fn count_growth(size: usize, growth: usize) {
    if size >= COUNT_FROM {
        count_large(size, growth);
    }
}

#[inline]
fn uncount(size: usize) {
    if size >= COUNT_FROM {
        LIVE.fetch_sub(size, Ordering::Relaxed);
    }
}

#[inline]
fn there(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        refuse(size, free());
    }
    block
}

#[cold]
fn count_large(size: usize, growth: usize) {
    LIVE.fetch_add(size, Ordering::Relaxed);
    let growth = growth as i64;
    if ALLOWANCE.fetch_sub(growth, Ordering::Relaxed) >= growth || ASKING.swap(true, Ordering::Acquire) {
        return;
    }
    // Already counted as promised, so what is free is what is left behind it.
    LIVE.fetch_sub(growth as usize, Ordering::Relaxed);
    let free = free();
    LIVE.fetch_add(growth as usize, Ordering::Relaxed);
    ASKING.store(false, Ordering::Release);
    match free {
        Some(free) if growth as u64 > free.bytes => refuse(growth as usize, Some(free)),
        Some(free) => ALLOWANCE.store((free.bytes / 8) as i64, Ordering::Relaxed),
        None => ALLOWANCE.store(i64::MAX, Ordering::Relaxed),
    }
}

#[cold]
fn refuse(size: usize, free: Option<Free>) -> ! {
    static REFUSING: AtomicBool = AtomicBool::new(false);
    if REFUSING.swap(true, Ordering::AcqRel) {
        // Not even the message could be made.
        last_words::end(&["out of memory; give the job more memory, or fewer rows or columns"]);
    }
    let inputs = match OPENED.try_lock() {
        Ok(opened) => match opened.as_slice() {
            [] => String::new(),
            [one] => format!("{one}: "),
            [one, more @ ..] => format!("{one} and {} more: ", more.len()),
        },
        Err(_) => String::new(),
    };
    let free = free.map_or_else(String::new, |free| {
        // The blocks of other threads came between where it looks as if this one would have fitted.
        format!(" and {} are free {}", Bytes(free.bytes.into()), free.limit)
    });
    let size = Bytes(size as u128);
    last_words::end(&[&format!(
        "{inputs}out of memory: {size} more are needed at once{free}; take fewer rows or columns (`npy rows`, `npy \
         cols`), or give the job more memory"
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_in_the_unit_that_shows_them() {
        let said = |bytes| Bytes(bytes).to_string();
        assert_eq!([said(12), said(512_000_000), said(40_000_000_000)], ["12 bytes", "512.0 MB", "40.0 GB"]);
    }

    #[test]
    fn what_cannot_fit_is_refused_with_both_numbers() {
        let error = require_memory("big.npy: 9 x 9 values", 1 << 60, "take fewer rows").unwrap_err().to_string();
        assert!(error.starts_with("big.npy: 9 x 9 values need 1152921504.6 GB of memory, and "), "{error}");
        assert!(error.ends_with("; take fewer rows, or give the job more memory"), "{error}");
        require_memory("small", 1 << 20, "").unwrap();
    }

    #[test]
    fn groups_are_those_of_the_whole_path() {
        let v2 = "30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        let folders = |own: &str, mounts: &str| -> Vec<String> {
            groups_of(own, mounts).iter().map(|g| g.folder.display().to_string()).collect()
        };
        let slurm = "0::/system.slice/job_7/step_0";
        let chain = ["/system.slice/job_7/step_0", "/system.slice/job_7", "/system.slice", ""];
        assert_eq!(folders(slurm, v2), chain.map(|inner| format!("/sys/fs/cgroup{inner}")));
        // The old hierarchy, mounted per controller; the unified one beside it holds no memory there.
        let v1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        assert_eq!(folders("4:memory:/a\n3:cpu:/b\n0::/", v1), ["/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory"]);
        // In a container whose root is the group itself.
        let inside = "35 31 0:32 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
        assert_eq!(folders("4:memory:/docker/c1", inside), ["/sys/fs/cgroup/memory"]);
        assert_eq!(folders("4:memory:/elsewhere", inside), ["/sys/fs/cgroup/memory"]);
    }

    #[test]
    fn pages_of_files_are_free() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("memory.max", "1000\n");
        write("memory.current", "900\n");
        write("memory.stat", "anon 100\ninactive_file 300\nactive_file 50\n");
        let group = Group { folder: dir.path().into(), unified: true };
        assert_eq!(group.free(), Some(450));
        write("memory.max", "max\n");
        assert_eq!(group.free(), None);
        write("memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(Group { unified: false, ..group }.free(), None);
    }
}
