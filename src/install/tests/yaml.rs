//! YAML: hand-written files of Goose.

use super::*;

fn block(indent: &str) -> String {
    [
        "apexmcp:",
        "  name: apexmcp",
        "  type: stdio",
        "  cmd: /opt/apexmcp-bridge",
        "  args:",
        "    - \"https://mcp.apexmcp.ai/mcp/acme/sse\"",
        "  enabled: true",
        "  timeout: 300",
    ]
    .map(|line| format!("{indent}{line}"))
    .join("\n")
}

#[test]
fn lines_between_lines() {
    let head = "# goose\nGOOSE_MODEL: \"a: b # c\" # why\nextensions:\n  # built in\n  developer:\n    \
                bundled: true\n    note: |\n      extensions:\n        x\n\n    list:\n    - 'it''s'\n    \
                - {a: [1, \"]\"], b: don't}";
    let tail = "\n  # the end of them\nother: >-\n  text\n";
    check("goose", &format!("{head}{tail}"), &format!("{head}\n{}{tail}", block("  ")));
    let four = "extensions:\r\n    a:\r\n        x: 1\r\n";
    check("goose", four, &format!("{four}{}\r\n", block("    ").replace('\n', "\r\n")));
    check("goose", "extensions:\n a: {}", &format!("extensions:\n a: {{}}\n{}", block(" ")));
    let quoted = "\"extensions\":\n  'a b': \"x\n\n  y: z\"\n";
    check("goose", quoted, &format!("{quoted}{}\n", block("  ")));
}

#[test]
fn texts_over_several_lines_keep_their_line_ends() {
    let kept = "extensions:\n  a:\n    x: |+\n      t\n\n";
    check("goose", &format!("{kept}\nb: 1\n"), &format!("{kept}\n{}\nb: 1\n", block("  ")));
    check("goose", kept, &format!("{kept}{}\n", block("  ")));
    let stripped = "extensions:\n  a: |- # c\n    t";
    check("goose", stripped, &format!("{stripped}\n{}", block("  ")));
    let refusal = "line 3, column 6: a text ends here, and would get another line end; put something behind it";
    check_refused("goose", "extensions:\n  a: |\n    t", refusal);
    check_refused("goose", "b: 1\na: >+\n    t", refusal);
    check(
        "goose",
        "extensions:\n  b: 1\na: >\n  t",
        &format!("extensions:\n  b: 1\n{}\na: >\n  t", block("  ")),
    );
}

#[test]
fn a_section_that_is_empty_or_missing_is_made() {
    let block = block("  ");
    for (before, after) in [
        ("", format!("extensions:\n{block}\n")),
        ("# only this\n", format!("# only this\nextensions:\n{block}\n")),
        ("---\na: 1\n", format!("---\na: 1\nextensions:\n{block}\n")),
        ("a:\n- 1\n- b: 2\n  c: 3", format!("a:\n- 1\n- b: 2\n  c: 3\nextensions:\n{block}")),
        ("extensions: # none\nb: 1\n", format!("extensions: # none\n{block}\nb: 1\n")),
        ("extensions: {} # none\n", format!("extensions: # none\n{block}\n")),
        ("extensions: null\n", format!("extensions:\n{block}\n")),
    ] {
        assert_eq!(installed("goose", before, &entry("apexmcp")), after);
    }
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (before, expected) in [
        ("a: \"b\nc: d\n", "line 1, column 4: what begins here does not end"),
        ("a: [1,\n", "line 1, column 4: what begins here does not end"),
        ("a:\n    b: 1\n  c: 2\n", "line 3, column 3: the indentation fits nothing above"),
        ("a: 1\n- b\n", "line 2, column 1: the indentation fits nothing above"),
        ("a:\n\tb: 1\n", "line 2, column 1: a tab is no indentation in YAML"),
        ("a: &x 1\nb: *x\n", "line 1, column 4: anchors, aliases and tags are not understood"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: only files with a single document are changed"),
        ("- a\n", "line 1, column 1: expected `name: value` at the beginning of a line"),
        ("extensions:\n  develo", "line 2, column 3: expected `name: value`"),
        (
            "extensions: {a: 1}\n",
            "line 1, column 13: this is written inline, and would have to be rewritten",
        ),
        ("extensions:\n- a\n", "line 2, column 1: `extensions` is a list, expected names"),
        ("extensions:\nextensions:\n", "line 2, column 1: `extensions` stands here twice"),
        ("extensions:\n  a: 1\n  a: 2\n", "line 3, column 3: `a` stands here twice"),
        ("a: \"b\" c\n", "line 1, column 7: expected the end of the line"),
        ("a: b: c\n", "line 1, column 4: this must be put in quotes"),
        ("a:\n- }\n", "line 2, column 3: this must be put in quotes"),
        ("a: - b\n", "line 1, column 4: this must be put in quotes"),
        ("a: [1}\n", "line 1, column 4: what begins here does not end"),
        ("a: ['c'', d: e]\n", "line 1, column 4: what begins here does not end"),
        ("a:\n  b:\n - c\n", "line 3, column 2: the indentation fits nothing above"),
    ] {
        check_refused("goose", before, expected);
    }
}

#[test]
fn plain_text_over_several_lines_is_let_be() {
    let before = "a: one\n  two: three\nextensions:\n  b: 1\n";
    // `two:` would be a key inside of a text: no reader accepts that.
    check_refused("goose", before, "line 2, column 3: the indentation fits nothing above");
    let before = "a: one\n  two\n  three\nextensions:\n  b: 1\n";
    check("goose", before, &format!("{before}{}\n", block("  ")));
}

#[test]
fn an_entry_is_replaced_and_taken_out() {
    let before = "extensions:\n  apexmcp:\n    cmd: old\n    args: []\n    # ours\n    envs: {}\n  # b\n  \
                  b: 1\n";
    let Ok(Step::Differs(change)) = install(&read(before), known("goose"), &entry("apexmcp"))
    else {
        panic!()
    };
    assert_eq!(change.after.text(), format!("extensions:\n{}\n  # b\n  b: 1\n", block("  ")));
    let path = vec!["extensions".to_owned(), "apexmcp".to_owned()];
    let change = uninstall(&read(before), known("goose"), vec![(path, None)]).unwrap();
    assert_eq!(change.after.text(), "extensions:\n  # b\n  b: 1\n");
}

#[test]
fn mcp_remote_is_replaced_and_nothing_else() {
    check_migrated(
        "goose",
        "extensions:\n  a:\n    cmd: npx # fast\n    args:\n    - -y\n    - mcp-remote@0.1.38\n    \
         # there\n    - https://a.example/sse\n    - '--debug'\n    enabled: true\n  b:\n    cmd: \"npx\"\n    \
         args: [\"-y\", mcp-remote, 'https://b.example', --debug]\n",
        "extensions:\n  a:\n    cmd: /opt/apexmcp-bridge # fast\n    args:\n    - \
         https://a.example/sse\n    - '--debug'\n    enabled: true\n  b:\n    cmd: /opt/apexmcp-bridge\n    \
         args: ['https://b.example', --debug]\n",
    );
}

#[test]
fn what_could_be_mistaken_is_quoted() {
    let mut odd = entry("apexmcp");
    odd.program = "C:\\b.exe".to_owned();
    odd.args = ["--x", "yes", "1", "a b", "", "${K}", "é"].map(str::to_owned).to_vec();
    odd.env.push(("K".to_owned(), Secret::new("null".to_owned())));
    let made = installed("goose", "", &odd);
    for part in [
        r#"cmd: "C:\\b.exe""#,
        r#"- "--x""#,
        r#"- "yes""#,
        r#"- "1""#,
        r#"- "a b""#,
        r#"- """#,
        r#"- "${K}""#,
        r#"- "é""#,
        "    envs:\n      K: \"null\"\n",
    ] {
        assert!(made.contains(part), "{part}: {made}");
    }
    let step = install(&read(&made), known("goose"), &odd);
    assert!(matches!(step, Ok(Step::Present)), "{step:?}");
}
