//! What a change would do, for people: a unified diff of the one place that changes, credentials
//! masked.

use super::mask::masked;

/// What stands at one side of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The file.
    File,
    /// It is not there.
    Nothing,
}

/// The change in the form of `diff -u`; empty if there is none.
pub fn unified(file: &str, before: &str, after: &str, sides: (Side, Side)) -> String {
    if before == after {
        return String::new();
    }
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let pairs = old.iter().zip(&new);
    let head = pairs.take_while(|(a, b)| a == b).count();
    let pairs = old.iter().rev().zip(new.iter().rev());
    let most = old.len().min(new.len()) - head;
    let tail = pairs.take_while(|(a, b)| a == b).count().min(most);
    let middle =
        |lines: &[&str]| lines.get(head..lines.len() - tail).unwrap_or_default().join("\n");
    let (gone, come) = (middle(&old), middle(&new));
    let (gone, come): (Vec<_>, Vec<_>) = (gone.lines().collect(), come.lines().collect());
    let first = head.saturating_sub(CONTEXT);
    let ahead = old.get(first..head).unwrap_or_default();
    let rest = old.get(old.len() - tail..).unwrap_or_default();
    let follow = rest.get(..CONTEXT.min(rest.len())).unwrap_or_default();
    let n_context = ahead.len() + follow.len();
    let named = |side| if side == Side::File { file } else { "/dev/null" };
    let place = |n_lines: usize| match n_lines {
        // Of no line it is the one before.
        0 => format!("{first},0"),
        n => format!("{},{n}", first + 1),
    };
    let (old_place, new_place) = (place(n_context + gone.len()), place(n_context + come.len()));
    let mut lines = vec![
        format!("--- {}", named(sides.0)),
        format!("+++ {}", named(sides.1)),
        format!("@@ -{old_place} +{new_place} @@"),
    ];
    let marked = |mark: char, text: &[&str]| -> Vec<String> {
        text.iter().map(|line| format!("{mark}{line}")).collect()
    };
    lines.extend(marked(' ', ahead));
    lines.extend(steps(&gone, &come));
    lines.extend(marked(' ', follow));
    masked(&format!("{}\n", lines.join("\n")))
}

/// Which lines go, which come and which stay, by their longest common subsequence.
fn steps(old: &[&str], new: &[&str]) -> Vec<String> {
    let width = new.len() + 1;
    // Not for a file that is one change from its beginning to its end.
    if MOST_CELLS < (old.len() + 1).saturating_mul(width) {
        let gone = old.iter().map(|line| format!("-{line}"));
        return gone.chain(new.iter().map(|line| format!("+{line}"))).collect();
    }
    let mut common = vec![0_usize; (old.len() + 1) * width];
    let cell = |common: &[usize], i: usize, j: usize| {
        common.get(i * width + j).copied().unwrap_or_default()
    };
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let length = if old.get(i) == new.get(j) {
                cell(&common, i + 1, j + 1) + 1
            } else {
                cell(&common, i + 1, j).max(cell(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                lines.push(format!(" {a}"));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || cell(&common, i, j + 1) <= cell(&common, i + 1, j) => {
                lines.push(format!("-{a}"));
                i += 1;
            }
            (_, Some(b)) => {
                lines.push(format!("+{b}"));
                j += 1;
            }
            _ => return lines,
        }
    }
}

/// As `diff -u` has it.
const CONTEXT: usize = 3;
/// A thousand lines against a thousand.
const MOST_CELLS: usize = 1 << 20;
