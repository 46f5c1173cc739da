//! TOML: hand-written files of Codex.

use super::*;

const BLOCK: &str = "[mcp_servers.apexmcp]\ncommand = \"/opt/apexmcp-bridge\"\nargs = \
                     [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\nstartup_timeout_sec = 60";

#[test]
fn a_table_at_the_end() {
    let before = "# mine\nmodel = \"o\" # fast\n\n[mcp_servers.a] # first\ncommand = 'x'\n\n\n\
                  [profiles.work]\nmodel='p'\n# the end\n";
    check("codex", before, &format!("{before}\n{BLOCK}\n"));
    for before in [
        "mcp_servers.a.command = 'x'",
        "model = 1",
        "model = 1\n\n\n",
        "[mcp_servers]\n",
        "[[x]]\ny = 1\n",
    ] {
        let made = installed("codex", before, &entry("apexmcp"));
        check("codex", before, &made);
    }
    check("codex", "", &format!("{BLOCK}\n"));
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_stay() {
    let before = "\u{feff}# mine\r\nmodel = \"o\"\r\n";
    check("codex", before, &format!("{before}\r\n{}\r\n", BLOCK.replace('\n', "\r\n")));
}

#[test]
fn what_cannot_be_changed_is_refused_with_its_place() {
    let place = |before: &str| {
        let broken = install(&read(before), known("codex"), &entry("apexmcp")).unwrap_err();
        (broken.line, broken.column, broken.reason)
    };
    let (line, column, _) = place("a = 1\nb = [1, \n");
    assert_eq!((line, column), (2, 8));
    assert_eq!(place("a = 1\na = 2\n").0, 2);
    let inline = "this is written inline, and would have to be rewritten".to_owned();
    assert_eq!(place("mcp_servers = { a = { command = 'x' } }"), (1, 15, inline));
    let (.., reason) = place("mcp_servers.apexmcp.command = 'x'");
    assert!(reason.contains("written inline"), "{reason}");
    assert!(install(&read("mcp_servers = 1"), known("codex"), &entry("apexmcp")).is_err());
    assert!(install(&read("[[mcp_servers]]\na = 1"), known("codex"), &entry("apexmcp")).is_err());
}

#[test]
fn an_entry_is_replaced_and_taken_out_with_its_tables() {
    let before = "a = 1\n\n# ours\n[mcp_servers.apexmcp] # here\ncommand = \"x\"\nargs = [\n  \"y\", \
                  # why\n]\n# after\n\n[other]\nb = 2\n\n[mcp_servers.apexmcp.env]\nK = \"k\"\n\n\
                  [mcp_servers.z]\ncommand = \"z\"\n";
    let Ok(Step::Differs(change)) = install(&read(before), known("codex"), &entry("apexmcp"))
    else {
        panic!()
    };
    assert_eq!(
        change.after.text(),
        format!(
            "a = 1\n\n# ours\n{BLOCK}\n# after\n\n[other]\nb = 2\n\n[mcp_servers.z]\ncommand = \
             \"z\"\n"
        )
    );
    let path = vec!["mcp_servers".to_owned(), "apexmcp".to_owned()];
    let change = uninstall(&read(before), known("codex"), vec![(path, None)]).unwrap();
    assert_eq!(
        change.after.text(),
        "a = 1\n\n# ours\n# after\n\n[other]\nb = 2\n\n[mcp_servers.z]\ncommand = \"z\"\n"
    );
}

#[test]
fn mcp_remote_is_replaced_and_nothing_else() {
    check_migrated(
        "codex",
        "[mcp_servers.a]\r\ncommand = 'npx' # fast\r\nargs = [\r\n  \"-y\",\r\n  'mcp-remote', # it\r\n  \
         \"https://a.example\", # there\r\n  \"--debug\",\r\n]\r\nstartup_timeout_sec = 30\r\n",
        "[mcp_servers.a]\r\ncommand = \"/opt/apexmcp-bridge\" # fast\r\nargs = [\r\n  \
         \"https://a.example\", # there\r\n  \"--debug\",\r\n]\r\nstartup_timeout_sec = 30\r\n",
    );
    check_migrated(
        "codex",
        "mcp_servers = { a = { command = \"npx\", args = [\"mcp-remote\", \"http://a\"] } }",
        "mcp_servers = { a = { command = \"/opt/apexmcp-bridge\", args = [\"http://a\"] } }",
    );
}

#[test]
fn names_and_values_are_quoted_where_they_must_be() {
    let mut odd = entry("apexmcp");
    odd.program = "C:\\Program Files\\b\u{7f}.exe".to_owned();
    odd.env.push(("K".to_owned(), Secret::new("a\"\n".to_owned())));
    let made = installed("codex", "", &odd);
    assert!(made.contains(r#"command = "C:\\Program Files\\b\u007F.exe""#), "{made}");
    assert!(made.contains(r#"env = { K = "a\"\n" }"#), "{made}");
}
