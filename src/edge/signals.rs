//! The system's requests to end.

use tokio::sync::mpsc::UnboundedSender;

use crate::core::event::Event;

pub use imp::watch;

#[cfg(unix)]
mod imp {
    use tokio::signal::unix::{SignalKind, signal};

    use super::{Event, UnboundedSender};

    /// Posts SIGTERM, SIGINT and SIGHUP as events. Must be called inside the runtime.
    pub fn watch(control: UnboundedSender<Event>) {
        let kinds = [
            (SignalKind::hangup(), 1),
            (SignalKind::interrupt(), 2),
            (SignalKind::terminate(), 15),
        ];
        for (kind, number) in kinds {
            let control = control.clone();
            // Without a handler the signal ends the process the hard way, which is good enough.
            let Ok(mut signal) = signal(kind) else { continue };
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    control.send(Event::Signal(number)).ok();
                }
            });
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{Event, UnboundedSender};

    /// Posts Ctrl-C as an event. Must be called inside the runtime. Never run on Windows so far.
    pub fn watch(control: UnboundedSender<Event>) {
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                control.send(Event::Signal(2)).ok();
            }
        });
    }
}
