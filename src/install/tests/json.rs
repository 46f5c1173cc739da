//! JSON: hand-written files.

use super::*;

#[test]
fn a_member_of_a_list_of_servers() {
    check(
        "cursor",
        "{\n  \"mcpServers\": {\n    \"a\": { \"command\": \"x\" }\n  }\n}\n",
        "{\n  \"mcpServers\": {\n    \"a\": { \"command\": \"x\" },\n    \"apexmcp\": {\n      \
         \"command\": \"/opt/apexmcp-bridge\",\n      \"args\": \
         [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\n    }\n  }\n}\n",
    );
}

#[test]
fn comments_and_trailing_commas_of_zed_stay() {
    check(
        "zed",
        r#"// Zed settings
{
    "theme": "One Dark", // the only one
    "context_servers": {
        /* mine */
        "files": {
            "command": { "path": "files", "args": [], }
        }, // keep me here
        // "old": {},
    },
    "vim_mode": true,
}
"#,
        r#"// Zed settings
{
    "theme": "One Dark", // the only one
    "context_servers": {
        /* mine */
        "files": {
            "command": { "path": "files", "args": [], }
        }, // keep me here
        "apexmcp": {
            "source": "custom",
            "command": "/opt/apexmcp-bridge",
            "args": ["https://mcp.apexmcp.ai/mcp/acme/sse"]
        },
        // "old": {},
    },
    "vim_mode": true,
}
"#,
    );
}

#[test]
fn tabs_and_windows_line_ends_and_a_byte_order_mark_stay() {
    check(
        "claude-desktop",
        "\u{feff}{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {}\r\n\t}\r\n}",
        "\u{feff}{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {},\r\n\t\t\"apexmcp\": {\r\n\t\t\t\
         \"command\": \"/opt/apexmcp-bridge\",\r\n\t\t\t\"args\": \
         [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\r\n\t\t}\r\n\t}\r\n}",
    );
}

#[test]
fn odd_layouts_stay_odd() {
    let entry = r#""apexmcp": {"command": "/opt/apexmcp-bridge", "args": ["https://mcp.apexmcp.ai/mcp/acme/sse"]}"#;
    for (before, after) in [
        (r#"{"mcpServers":{"a":{}}}"#, format!(r#"{{"mcpServers":{{"a":{{}}, {entry}}}}}"#)),
        (r#"{"mcpServers":{"a":{},}}"#, format!(r#"{{"mcpServers":{{"a":{{}}, {entry},}}}}"#)),
        (
            "{\"mcpServers\":{\"a\":{} // why\n}}",
            format!("{{\"mcpServers\":{{\"a\":{{}}, {entry} // why\n}}}}"),
        ),
    ] {
        check("cursor", before, &after);
    }
    // The brace on the line of the last member, and a comment that spans lines.
    let block = "\"apexmcp\": {\n   \"command\": \"/opt/apexmcp-bridge\",\n   \"args\": \
                 [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\n  }";
    check(
        "cursor",
        "{\n \"mcpServers\": {\n  \"a\": 1 } }",
        &format!("{{\n \"mcpServers\": {{\n  \"a\": 1,\n  {block} }} }}"),
    );
    check(
        "cursor",
        "{\n \"mcpServers\": {\n  \"a\": 1 /* one\n two */ }\n}",
        &format!("{{\n \"mcpServers\": {{\n  \"a\": 1,\n  {block} /* one\n two */ }}\n}}"),
    );
    check(
        "cursor",
        "{\n \"mcpServers\": {\n  \"a\": 1 // one\n  , // comma\n }\n}",
        &format!("{{\n \"mcpServers\": {{\n  \"a\": 1 // one\n  , // comma\n  {block},\n }}\n}}"),
    );
}

#[test]
fn a_section_that_is_empty_or_missing_is_made() {
    let block = |indent: &str| {
        format!(
            "{indent}\"apexmcp\": {{\n{indent}  \"command\": \"/opt/apexmcp-bridge\",\n{indent}  \
             \"args\": [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\n{indent}}}"
        )
    };
    let inner = block("    ");
    let section = format!("  \"mcpServers\": {{\n{inner}\n  }}");
    for (before, after) in [
        (String::new(), format!("{{\n{section}\n}}\n")),
        ("// nothing yet".to_owned(), format!("// nothing yet\n{{\n{section}\n}}\n")),
        ("{}".to_owned(), format!("{{\n{section}\n}}")),
        ("{\n}\n".to_owned(), format!("{{\n{section}\n}}\n")),
        ("{\n  // none\n}\n".to_owned(), format!("{{\n  // none\n{section}\n}}\n")),
        ("{\n  \"a\": 1\n}\n".to_owned(), format!("{{\n  \"a\": 1,\n{section}\n}}\n")),
        (
            "{\n  \"mcpServers\": {}\n}\n".to_owned(),
            format!("{{\n  \"mcpServers\": {{\n{inner}\n  }}\n}}\n"),
        ),
        (
            "{\n  \"mcpServers\": {\n    // none\n  }\n}\n".to_owned(),
            format!("{{\n  \"mcpServers\": {{\n    // none\n{inner}\n  }}\n}}\n"),
        ),
    ] {
        assert_eq!(installed("cursor", &before, &entry("apexmcp")), after);
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for (before, expected) in [
        ("{\n  \"mcpServers\": {\n    \"a\": {", "line 3, column 10: unterminated object"),
        ("{\n  \"a\": 1\n  \"b\": 2\n}", "line 2, column 9: expected comma"),
        ("[]", "line 1, column 1: this is no object (`{…}`)"),
        ("{\"mcpServers\": []}", "line 1, column 16: this is no object (`{…}`)"),
        (
            "{\"mcpServers\": {}, \"mcpServers\": {}}",
            "line 1, column 20: `mcpServers` stands here twice",
        ),
        ("{\"mcpServers\": {\"ä\": 1,\n \"ä\": 2}}", "line 2, column 2: `ä` stands here twice"),
        ("{'a': 1}", "line 1, column 2: single-quoted strings are not allowed"),
        ("{a: 1}", "line 1, column 2: expected string for object property"),
        ("{} {}", "line 1, column 4: text cannot contain more than one JSON value"),
        ("{\"a\": 0x1}", "line 1, column 7: hexadecimal numbers are not allowed"),
    ] {
        check_refused("cursor", before, expected);
    }
    check_refused(
        "cursor",
        &format!("{}{}", "[".repeat(4000), "]".repeat(4000)),
        "line 1, column 513: maximum nesting depth exceeded",
    );
    let broken = Document::read(b"{\n \"\xff\": 1}".to_vec()).unwrap_err();
    assert_eq!(broken.to_string(), "line 2, column 3: this is not UTF-8");
}

#[test]
fn an_entry_that_differs_is_shown_and_one_with_additions_is_ours() {
    let before = "{\n  \"mcpServers\": {\n    \"apexmcp\": {\n      \"command\": \"/old/bridge\",\n      \
                  \"args\": [] // mine\n    },\n    \"b\": {}\n  }\n}\n";
    let Ok(Step::Differs(change)) = install(&read(before), known("cursor"), &entry("apexmcp"))
    else {
        panic!()
    };
    assert_eq!(
        change.after.text(),
        "{\n  \"mcpServers\": {\n    \"apexmcp\": {\n      \"command\": \"/opt/apexmcp-bridge\",\n      \
         \"args\": [\"https://mcp.apexmcp.ai/mcp/acme/sse\"]\n    },\n    \"b\": {}\n  }\n}\n"
    );
    let more = change.after.text().replace("\"args\"", "\"autoApprove\": [\"x\"], \"args\"");
    let step = install(&read(&more), known("cursor"), &entry("apexmcp"));
    assert!(matches!(step, Ok(Step::Present)), "{step:?}");
    let other = change.after.text().replace("acme", "other");
    let step = install(&read(&other), known("cursor"), &entry("apexmcp"));
    assert!(matches!(step, Ok(Step::Differs(_))), "{step:?}");
}

#[test]
fn every_host_has_its_own_shape() {
    let mut entry = entry("apexmcp");
    entry.env.push(("A".to_owned(), Secret::new("a \"b\"".to_owned())));
    let shape = |id| installed(id, "", &entry);
    assert_eq!(
        shape("vscode"),
        "{\n  \"servers\": {\n    \"apexmcp\": {\n      \"type\": \"stdio\",\n      \"command\": \
         \"/opt/apexmcp-bridge\",\n      \"args\": [\"https://mcp.apexmcp.ai/mcp/acme/sse\"],\n      \
         \"env\": {\n        \"A\": \"a \\\"b\\\"\"\n      }\n    }\n  }\n}\n"
    );
    for (id, part) in [
        ("claude-code", "\"type\": \"stdio\""),
        ("cline", "\"disabled\": false"),
        ("zed", "\"source\": \"custom\""),
        ("windsurf", "\"mcpServers\""),
        ("gemini", "\"mcpServers\""),
        ("lm-studio", "\"mcpServers\""),
        ("codex", "startup_timeout_sec = 60"),
        ("goose", "timeout: 300"),
    ] {
        assert!(shape(id).contains(part), "{id}: {}", shape(id));
    }
}

#[test]
fn mcp_remote_is_replaced_and_nothing_else() {
    check_migrated(
        "cursor",
        r#"{ "mcpServers": {
  // the first
  "a": {
    "env": { "KEY": "k" }, "command": "npx", // fast
    "args": ["-y", "mcp-remote@latest", /* the server */ "https://a.example/sse", "3334",
      "--header", "Authorization:${KEY}"],
    "disabled": true
  },
  "b": { "command": "npx", "args": ["-y", "@other/server", "https://a.example"] },
  "c": { "url": "https://c.example" },
  "d e": {"command": "C:\\Windows\\cmd.exe", "args": ["/C", "npx.cmd", "mcp-remote", "https://d.example"]},
} }
"#,
        r#"{ "mcpServers": {
  // the first
  "a": {
    "env": { "KEY": "k" }, "command": "/opt/apexmcp-bridge", // fast
    "args": ["https://a.example/sse", "3334",
      "--header", "Authorization:${KEY}"],
    "disabled": true
  },
  "b": { "command": "npx", "args": ["-y", "@other/server", "https://a.example"] },
  "c": { "url": "https://c.example" },
  "d e": {"command": "/opt/apexmcp-bridge", "args": ["https://d.example"]},
} }
"#,
    );
    check_migrated(
        "zed",
        r#"{"context_servers": {"a": {"command": {"path": "npx", "args": ["mcp-remote", "https://a.example"]}}}}"#,
        r#"{"context_servers": {"a": {"command": {"path": "/opt/apexmcp-bridge", "args": ["https://a.example"]}}}}"#,
    );
    check_migrated(
        "claude-code",
        r#"{"mcpServers": {}, "projects": {"/w": {"mcpServers": {"a": {"command": "npx", "args": ["mcp-remote", "https://a.example"]}}, "history": ["npx mcp-remote"]}}}"#,
        r#"{"mcpServers": {}, "projects": {"/w": {"mcpServers": {"a": {"command": "/opt/apexmcp-bridge", "args": ["https://a.example"]}}, "history": ["npx mcp-remote"]}}}"#,
    );
}

#[test]
fn an_entry_anywhere_in_the_list_can_be_taken_out() {
    let remove = |text: &str, name: &str| {
        let path = vec!["mcpServers".to_owned(), name.to_owned()];
        let change = uninstall(&read(text), known("cursor"), vec![(path, None)]).unwrap();
        change.after.text().to_owned()
    };
    let three = "{ \"mcpServers\": {\n  \"a\": 1, // a\n  \"b\": 2, // b\n  \"c\": 3\n} }";
    assert_eq!(
        remove(three, "a"),
        "{ \"mcpServers\": {\n   // a\n  \"b\": 2, // b\n  \"c\": 3\n} }",
        "a comment is somebody's"
    );
    assert_eq!(remove(three, "c"), "{ \"mcpServers\": {\n  \"a\": 1, // a\n  \"b\": 2 // b\n} }");
    let line = r#"{"mcpServers": {"a": 1, "b": 2, "c": 3}}"#;
    assert_eq!(remove(line, "a"), r#"{"mcpServers": { "b": 2, "c": 3}}"#);
    assert_eq!(remove(line, "b"), r#"{"mcpServers": {"a": 1, "c": 3}}"#);
    assert_eq!(remove(line, "c"), r#"{"mcpServers": {"a": 1, "b": 2}}"#);
    assert_eq!(remove(r#"{"mcpServers": {"a": 1}}"#, "a"), r#"{"mcpServers": {}}"#);
}
