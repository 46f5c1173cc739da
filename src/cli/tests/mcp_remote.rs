//! Where mcp-remote would have kept the same sign-in.

use std::path::Path;

use super::{Invocation, run};

const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
const FOLDER: &str = if cfg!(windows) { r"C:\home" } else { "/home/u" };

/// Measured on mcp-remote 0.15.1: what is typed there, and the name of the files.
const MEASURED: &[(&[&str], &str)] = &[
    (&["https://mcp.apexmcp.ai/mcp/acme/sse"], "7c40b16920fc9be3091a24a4205d3975"),
    (&["acme"], "7c40b16920fc9be3091a24a4205d3975"),
    (
        &["https://mcp.apexmcp.ai/mcp/acme/sse", "--header", "X-API-Key:${APEX_KEY}"],
        "b642e0e3818011c7c4f8667d193ee925",
    ),
    (
        &[
            "https://mcp.atlassian.com/v1/sse",
            "--resource",
            " https://tenant1.atlassian.net/ ",
            "--debug",
        ],
        "224d1023ed8b747f99479d42f28f0bb6",
    ),
    (
        &[
            "--header",
            "b: 2",
            "https://a.example/mcp",
            "--authorize-param",
            "prompt=consent",
            "--authorize-param=access_type=offline",
            "--header=A:1",
        ],
        "c4f41ecb41e913cb80d5a27ad497306c",
    ),
];

#[test]
fn its_files_are_found_by_what_was_typed() {
    for (args, name) in MEASURED {
        let environment = [(HOME, FOLDER), ("APEX_KEY", "k")];
        let Invocation::Bridge { config, .. } = run(args, &environment) else { panic!("{args:?}") };
        let found = config.mcp_remote.unwrap();
        assert_eq!(found.name, *name, "{args:?}");
        assert_eq!(found.dir, Path::new(FOLDER).join(".mcp-auth"));
    }
}

#[test]
fn its_directory_may_be_elsewhere() {
    let dir = |environment: &[(&'static str, &'static str)]| {
        let Invocation::Bridge { config, warnings } = run(&["acme"], environment) else { panic!() };
        (config.mcp_remote.map(|found| found.dir), warnings.len())
    };
    assert_eq!(dir(&[]), (None, 0));
    assert_eq!(dir(&[(HOME, "relative")]), (None, 0));
    let home = (HOME, FOLDER);
    let default = Some(Path::new(FOLDER).join(".mcp-auth"));
    assert_eq!(dir(&[home, ("MCP_REMOTE_CONFIG_DIR", "")]), (default, 0));
    let named = Some(Path::new(FOLDER).to_owned());
    assert_eq!(dir(&[("MCP_REMOTE_CONFIG_DIR", FOLDER)]), (named, 0));
    assert_eq!(dir(&[home, ("MCP_REMOTE_CONFIG_DIR", "auth")]), (None, 1));
}
