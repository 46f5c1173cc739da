//! The ways in which configurations start mcp-remote.

use crate::install::n_wrapper_words;

#[track_caller]
fn check(line: &str, expected: Option<&str>) {
    let words: Vec<&str> = line.split(' ').collect();
    let (program, args) = words.split_first().unwrap();
    let own = n_wrapper_words(program, args).map(|n| args[n..].join(" "));
    assert_eq!(own.as_deref(), expected, "{line}");
}

#[test]
fn every_known_way() {
    for start in [
        "npx mcp-remote",
        "npx -y mcp-remote",
        "npx -y mcp-remote@latest",
        "npx --yes mcp-remote@0.1.38",
        "npx -q -y -- mcp-remote",
        "npx --package=mcp-remote mcp-remote",
        "npx -p mcp-remote@0.15.1 mcp-remote",
        "npx --registry https://registry.example/ mcp-remote",
        "/opt/homebrew/bin/npx -y mcp-remote",
        "C:\\node\\npx.cmd -y mcp-remote",
        "cmd /c npx -y mcp-remote",
        "cmd.exe /d /s /C npx.cmd mcp-remote",
        "C:\\WINDOWS\\System32\\CMD.EXE /C C:\\node\\npx.cmd mcp-remote",
        "cmd C:/ npx mcp-remote",
        "bunx mcp-remote",
        "bun x mcp-remote",
        "pnpm dlx mcp-remote@next",
        "pnpx mcp-remote",
        "yarn dlx -q mcp-remote",
        "npm exec -y -- mcp-remote",
        "npm x mcp-remote",
        "mcp-remote",
        "/usr/local/bin/mcp-remote",
        "cmd /c mcp-remote.cmd",
        "node /usr/lib/node_modules/mcp-remote/dist/proxy.js",
    ] {
        check(
            &format!("{start} https://a.example/sse 3334 --debug"),
            Some("https://a.example/sse 3334 --debug"),
        );
    }
    check("npx mcp-remote --debug http://a.example", Some("--debug http://a.example"));
}

#[test]
fn everything_else_is_let_be() {
    for line in [
        "npx -y mcp-remote",
        "npx -y mcp-remote-client https://a.example",
        "npx -y @geelen/mcp-remote https://a.example",
        "npx -y other mcp-remote https://a.example",
        "npx -p mcp-remote other https://a.example",
        "npm install mcp-remote https://a.example",
        "node server.js https://a.example",
        "node /x/other/dist/proxy.js https://a.example",
        "docker run mcp-remote https://a.example",
        "sh -c mcp-remote https://a.example",
        "npx",
        "cmd /c",
        "apexmcp-bridge https://a.example",
    ] {
        check(line, None);
    }
}
