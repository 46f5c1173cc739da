//! The end of the process that started this one.
//!
//! A host that crashes closes stdin, unless another of its children has inherited the other end of
//! the pipe; then nobody would ever tell.

use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::core::event::Event;

/// Posts the end of the parent process, if there is one to be watched, as the end of stdin.
pub fn watch(control: UnboundedSender<Event>) {
    let Some(parent) = imp::Parent::find() else { return };
    let work = move || {
        if parent.wait() {
            control.send(Event::HungUp(Duration::ZERO)).ok();
        }
    };
    // Without the thread closed stdin is still heard.
    thread::Builder::new().name("parent".to_owned()).stack_size(STACK).spawn(work).ok();
}

/// It only waits.
const STACK: usize = 64 << 10;

#[cfg(unix)]
mod imp {
    use std::os::unix::process::parent_id;
    use std::thread;
    use std::time::Duration;

    /// How often to look where the system does not tell.
    const LOOK: Duration = Duration::from_secs(2);

    #[derive(Clone, Copy)]
    pub(super) struct Parent(u32);

    impl Parent {
        /// Not the system's first process, nor one that cannot be seen from in here.
        pub(super) fn find() -> Option<Self> {
            let parent = parent_id();
            (1 < parent).then_some(Self(parent))
        }

        /// Waits until it has ended; `true` then.
        pub(super) fn wait(self) -> bool {
            self.wait_for_news();
            while parent_id() == self.0 {
                thread::sleep(LOOK);
            }
            true
        }

        /// Waits without waking up; returns at once where that cannot be done.
        #[cfg(target_os = "linux")]
        fn wait_for_news(self) {
            use rustix::event::{PollFd, PollFlags, poll};
            use rustix::io::Errno;
            use rustix::process::{Pid, PidfdFlags, pidfd_open};
            let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw);
            let Some(Ok(process)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
                return;
            };
            // Opened too late, it would be somebody else with the same number.
            while parent_id() == self.0 {
                let mut fds = [PollFd::new(&process, PollFlags::IN)];
                match poll(&mut fds, None) {
                    Ok(0) | Err(Errno::INTR) => {}
                    _ => return,
                }
            }
        }

        /// On macOS only `kqueue` would tell, and its calls are not safe ones. Never run there.
        #[cfg(not(target_os = "linux"))]
        #[expect(clippy::unused_self, reason = "one signature for every system")]
        fn wait_for_news(self) {}
    }
}

#[cfg(windows)]
mod imp {
    use winsafe::guard::CloseHandleGuard;
    use winsafe::{HPROCESS, HPROCESSLIST, co};

    /// A handle of the parent. Never run on Windows so far.
    pub(super) struct Parent(CloseHandleGuard<HPROCESS>);

    impl Parent {
        pub(super) fn find() -> Option<Self> {
            let own = std::process::id();
            let mut list =
                HPROCESSLIST::CreateToolhelp32Snapshot(co::TH32CS::SNAPPROCESS, None).ok()?;
            let entry = list.iter_processes().flatten().find(|it| it.th32ProcessID == own)?;
            let parent = entry.th32ParentProcessID;
            // One that has ended before this moment cannot be opened.
            HPROCESS::OpenProcess(co::PROCESS::SYNCHRONIZE, false, parent).ok().map(Self)
        }

        /// Waits until it has ended; `true` then.
        pub(super) fn wait(self) -> bool {
            matches!(self.0.WaitForSingleObject(None), Ok(co::WAIT::OBJECT_0))
        }
    }
}
