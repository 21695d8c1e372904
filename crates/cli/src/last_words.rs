//! The ends that no `Result` can report: memory refused, a mapped file cut short, the terminal's Ctrl-C. Each leaves no
//! half-written file behind, and the first two say in one line what happened and exit with 1.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// `rsa`, for messages; read in signal handlers, so never locked.
static TOOL: OnceLock<String> = OnceLock::new();

/// Files to remove when the program ends without unwinding. A list that only grows, so that a signal handler can walk
/// it at any moment; a run writes a few files, so its length is no matter.
static UNFINISHED: AtomicPtr<Node> = AtomicPtr::new(null_mut());

struct Node {
    path: CString,
    alive: AtomicBool,
    next: *const Node,
}

/// A file that must not be left behind half-written; when this is dropped, the file has its name or is gone.
pub(crate) struct Unfinished(&'static AtomicBool);

impl Unfinished {
    /// From now until it is dropped, `path` is removed at any end of the program.
    pub(crate) fn new(path: &Path) -> Option<Unfinished> {
        let path = CString::new(path.as_os_str().as_bytes()).ok()?;
        let node = Box::leak(Box::new(Node { path, alive: AtomicBool::new(true), next: null_mut() }));
        let node: *mut Node = node;
        let mut head = UNFINISHED.load(Ordering::Acquire);
        loop {
            // SAFETY: the node is ours alone until the exchange succeeds, and is never freed.
            unsafe { (*node).next = head };
            match UNFINISHED.compare_exchange(head, node, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        // SAFETY: leaked above, so it lives as long as the program.
        Some(Unfinished(unsafe { &(*node).alive }))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Removes what is unfinished. Only system calls: it runs in signal handlers.
fn remove_unfinished() {
    let mut node = UNFINISHED.load(Ordering::Acquire).cast_const();
    // SAFETY: nodes are leaked, complete before they are linked in, and never changed but for the flag.
    while let Some(file) = unsafe { node.as_ref() } {
        if file.alive.load(Ordering::Acquire) {
            // SAFETY: a NUL-terminated path that lives as long as the program.
            unsafe { libc::unlink(file.path.as_ptr()) };
        }
        node = file.next;
    }
}

/// Says `tool: text` on stderr and ends the program with 1, nothing half-written left behind. Takes no memory and no
/// lock.
pub(crate) fn end(parts: &[&str]) -> ! {
    remove_unfinished();
    let say = |text: &str| {
        // SAFETY: the bytes of a string and their number. A message that cannot be written changes nothing.
        let _ = unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    };
    say(TOOL.get().map_or("catsel", String::as_str));
    say(": ");
    parts.iter().for_each(|part| say(part));
    say("\n");
    // SAFETY: ends the program; destructors must not run, for they might take memory or locks.
    unsafe { libc::_exit(1) }
}

extern "C" fn on_sigbus(_: libc::c_int) {
    end(&["a file that was being read through a memory map has become shorter, or its disk fails (SIGBUS); another \
           program rewrote it meanwhile? Run again on a file that stays as it is"]);
}

/// Ctrl-C, `scancel`, a closed terminal: as ever, but without a temporary file left behind.
extern "C" fn on_stop(signal: libc::c_int) {
    remove_unfinished();
    // SAFETY: both calls may be made in a handler; the program ends as it would have without us.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Names the tool and installs the handlers, once per program.
pub(crate) fn prepare(tool: &str) {
    if TOOL.set(tool.to_string()).is_err() {
        return;
    }
    type Handler = extern "C" fn(libc::c_int);
    let handle = |signal: libc::c_int, handler: Handler| {
        // SAFETY: the structures are plain data; the handlers make only calls that are allowed in handlers.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut before);
            // What was ignored on purpose (nohup) stays ignored.
            if before.sa_sigaction == libc::SIG_IGN {
                return;
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, &action, null_mut());
        }
    };
    // On other systems SIGBUS is also how a full stack is told, which the standard library reports.
    if cfg!(target_os = "linux") {
        handle(libc::SIGBUS, on_sigbus);
    }
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        handle(signal, on_stop);
    }
    // A file beyond `ulimit -f` is an error of the write then, not the end of the program.
    // SAFETY: no handler, so nothing can go wrong in it.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
