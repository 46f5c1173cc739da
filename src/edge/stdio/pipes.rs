//! The process's own stdin and stdout, out of reach of everybody else.
//!
//! A library that prints, or a browser that reads, would break the protocol. On Unix the two pipes
//! are therefore moved to private descriptors, and what is called stdin and stdout from then on is
//! the null device and stderr. On Windows (where this was never run) the pipes stay where they are.

pub(super) use imp::Input;
pub use imp::{Pipes, claim};

#[cfg(unix)]
mod imp {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;

    /// The host's end that is read.
    pub(in super::super) type Input = File;

    /// The host's two pipes.
    #[derive(Debug)]
    pub struct Pipes {
        /// What the host writes.
        pub input: File,
        /// What the host reads.
        pub output: File,
    }

    /// Takes the pipes.
    pub fn claim() -> io::Result<Pipes> {
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let null = File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        // A closed stderr must not cost the conversation.
        if rustix::stdio::dup2_stdout(io::stderr()).is_err() {
            rustix::stdio::dup2_stdout(&null)?;
        }
        Ok(Pipes { input, output })
    }
}

#[cfg(not(unix))]
mod imp {
    use std::io::{self, Stdin, Stdout};

    /// The host's end that is read.
    pub(in super::super) type Input = Stdin;

    /// The host's two pipes.
    #[derive(Debug)]
    pub struct Pipes {
        /// What the host writes.
        pub input: Stdin,
        /// What the host reads.
        pub output: Stdout,
    }

    /// Takes the pipes.
    pub fn claim() -> io::Result<Pipes> {
        Ok(Pipes { input: io::stdin(), output: io::stdout() })
    }
}
