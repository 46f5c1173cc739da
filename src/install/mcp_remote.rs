//! The many ways in which configurations start mcp-remote.

/// How many words stand before mcp-remote's own arguments, not counting the program; `None` if
/// this does not start mcp-remote for a URL.
///
/// A command line for a shell (`sh -c "npx mcp-remote …"`) is not taken apart.
pub fn n_wrapper_words(program: &str, args: &[&str]) -> Option<usize> {
    let words: Vec<&str> = [program].into_iter().chain(args.iter().copied()).collect();
    let end = after_mcp_remote(&words)?;
    let own = words.get(end..)?;
    let is_url = |word: &&str| word.starts_with("https://") || word.starts_with("http://");
    (own.iter().any(is_url)).then_some(end - 1)
}

/// The index behind the word that is mcp-remote.
fn after_mcp_remote(words: &[&str]) -> Option<usize> {
    let mut at = 0;
    let next = |at: &mut usize| {
        let word = words.get(*at).copied()?;
        *at += 1;
        Some(word)
    };
    let mut program = name(next(&mut at)?);
    if program == "cmd" {
        // `C:/` is what Claude Code's own command makes of `/c`.
        while words.get(at).is_some_and(|word| is_switch(word)) {
            at += 1;
        }
        program = name(next(&mut at)?);
    }
    match program.as_str() {
        "mcp-remote" => return Some(at),
        "node" | "bun" if words.get(at).is_some_and(|word| is_script(word)) => {
            return Some(at + 1);
        }
        "npx" | "bunx" | "pnpx" => {}
        "npm" | "pnpm" | "yarn" | "bun" => {
            let verb = next(&mut at)?;
            let starts = match program.as_str() {
                "npm" => ["exec", "x"].contains(&verb),
                "bun" => verb == "x",
                "yarn" => verb == "dlx",
                _ => ["dlx", "exec"].contains(&verb),
            };
            if !starts {
                return None;
            }
        }
        _ => return None,
    }
    loop {
        let word = next(&mut at)?;
        if word == "--" {
            continue;
        }
        if !word.starts_with('-') {
            return is_package(word).then_some(at);
        }
        if VALUED.contains(&word) {
            at += 1;
        }
    }
}

/// The name of a program, without its folder and its ending.
fn name(program: &str) -> String {
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let ending = [".exe", ".cmd", ".ps1", ".bat"].iter().find_map(|end| name.strip_suffix(end));
    ending.map(str::to_owned).unwrap_or(name)
}

/// A switch of `cmd`.
fn is_switch(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["/c", "/d", "/s", "/q", "/k", "c:/"].contains(&word.as_str())
}

/// mcp-remote's program in its package.
fn is_script(word: &str) -> bool {
    let mut parts = word.rsplit(['/', '\\']);
    parts.next() == Some("proxy.js") && parts.any(|part| part == "mcp-remote")
}

/// `mcp-remote`, with or without a version.
fn is_package(word: &str) -> bool {
    word == "mcp-remote" || word.starts_with("mcp-remote@")
}

/// Flags of the runners that take the next word.
const VALUED: &[&str] = &["-p", "--package", "--registry", "--cache", "--userconfig", "--prefix"];
