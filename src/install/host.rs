//! The hosts that are known, as data.

use super::format::Format;
use super::place::{Base, Spot, System};

/// An MCP host.
#[derive(Debug)]
pub struct Host {
    /// What one types.
    pub id: &'static str,
    /// What it calls itself.
    pub title: &'static str,
    /// Where its file may be, best first.
    pub files: &'static [Spot],
    /// What else tells that it is installed.
    pub marks: &'static [Spot],
    /// How the file is written.
    pub format: Format,
    /// The member that holds the servers.
    pub section: &'static str,
    /// A member whose members have sections of that name too, each for one project.
    pub projects: Option<&'static str>,
    /// What an entry looks like.
    pub shape: Shape,
    /// Names of its processes, without `.exe`. Only their case tells two of them apart.
    pub processes: &'static [&'static str],
    /// What makes it read the file.
    pub manner: Manner,
}

/// What an entry looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `command`, `args`, `env`.
    Plain,
    /// The same, with `"type": "stdio"`.
    Typed,
    /// The same, with `"source": "custom"`.
    Zed,
    /// The same, with `"disabled": false`.
    Switched,
    /// The same, and how long a start may take: the default of 10 s is too short for a sign-in.
    Codex,
    /// Goose's own names.
    Goose,
}

impl Shape {
    /// The member that names the program.
    pub(super) fn program_key(self) -> &'static str {
        if self == Self::Goose { "cmd" } else { "command" }
    }
}

/// What makes a host read its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A restart, and while it runs it may write its own copy of the file back.
    Rewrites,
    /// A restart.
    Restarts,
    /// The file is watched.
    Watches,
    /// A new session.
    Session,
}

/// The host of that name.
pub fn host(id: &str) -> Option<&'static Host> {
    HOSTS.iter().find(|host| host.id == id)
}

const MAC: &[System] = &[System::Mac];
const WINDOWS: &[System] = &[System::Windows];
const LINUX: &[System] = &[System::Linux];
const UNIX: &[System] = &[System::Linux, System::Mac];
const ALL: &[System] = &[System::Linux, System::Mac, System::Windows];

const fn spot(systems: &'static [System], base: Base, path: &'static str) -> Spot {
    Spot { systems, base, path }
}

/// Every host that is known, in alphabetical order.
pub const HOSTS: &[Host] = &[
    Host {
        id: "claude-code",
        title: "Claude Code",
        files: &[spot(ALL, Base::ClaudeCode, ".claude.json")],
        marks: &[spot(ALL, Base::Home, ".claude")],
        format: Format::Json,
        section: "mcpServers",
        projects: Some("projects"),
        shape: Shape::Typed,
        processes: &["claude"],
        manner: Manner::Session,
    },
    Host {
        id: "claude-desktop",
        title: "Claude Desktop",
        files: &[
            // Both installers of 2026 are of this kind, and then the file in Roaming is not read.
            spot(
                WINDOWS,
                Base::Package("Claude_"),
                "LocalCache/Roaming/Claude/claude_desktop_config.json",
            ),
            spot(WINDOWS, Base::Roaming, "Claude/claude_desktop_config.json"),
            spot(MAC, Base::Support, "Claude/claude_desktop_config.json"),
            spot(LINUX, Base::Config, "Claude/claude_desktop_config.json"),
        ],
        marks: &[],
        format: Format::Json,
        section: "mcpServers",
        projects: None,
        shape: Shape::Plain,
        processes: &["claude-desktop", "Claude"],
        manner: Manner::Rewrites,
    },
    Host {
        id: "cline",
        title: "Cline",
        files: &[
            spot(LINUX, Base::Config, CLINE),
            spot(MAC, Base::Support, CLINE),
            spot(WINDOWS, Base::Roaming, CLINE),
            spot(ALL, Base::Home, ".cline/data/settings/cline_mcp_settings.json"),
        ],
        marks: &[],
        format: Format::Json,
        section: "mcpServers",
        projects: None,
        shape: Shape::Switched,
        processes: &["code", "Code"],
        manner: Manner::Watches,
    },
    Host {
        id: "codex",
        title: "Codex CLI",
        files: &[spot(ALL, Base::Codex, "config.toml")],
        marks: &[spot(ALL, Base::Codex, "")],
        format: Format::Toml,
        section: "mcp_servers",
        projects: None,
        shape: Shape::Codex,
        processes: &["codex"],
        manner: Manner::Session,
    },
    Host {
        id: "cursor",
        title: "Cursor",
        files: &[spot(ALL, Base::Home, ".cursor/mcp.json")],
        marks: &[],
        format: Format::Json,
        section: "mcpServers",
        projects: None,
        shape: Shape::Plain,
        processes: &["cursor", "Cursor"],
        manner: Manner::Restarts,
    },
    Host {
        id: "gemini",
        title: "Gemini CLI",
        files: &[spot(ALL, Base::Home, ".gemini/settings.json")],
        marks: &[],
        format: Format::Json,
        section: "mcpServers",
        projects: None,
        shape: Shape::Plain,
        processes: &["gemini"],
        manner: Manner::Session,
    },
    Host {
        id: "goose",
        title: "Goose",
        files: &[
            spot(UNIX, Base::Config, "goose/config.yaml"),
            spot(WINDOWS, Base::Roaming, "Block/goose/config/config.yaml"),
        ],
        marks: &[],
        format: Format::Yaml,
        section: "extensions",
        projects: None,
        shape: Shape::Goose,
        processes: &["goose", "goosed", "Goose"],
        manner: Manner::Session,
    },
    Host {
        id: "lm-studio",
        title: "LM Studio",
        files: &[
            spot(ALL, Base::Home, ".lmstudio/mcp.json"),
            spot(ALL, Base::Home, ".cache/lm-studio/mcp.json"),
        ],
        marks: &[],
        format: Format::Json,
        section: "mcpServers",
        projects: None,
        shape: Shape::Plain,
        processes: &["lm-studio", "LM Studio"],
        manner: Manner::Watches,
    },
    Host {
        id: "vscode",
        title: "VS Code",
        files: &[
            spot(LINUX, Base::Config, "Code/User/mcp.json"),
            spot(MAC, Base::Support, "Code/User/mcp.json"),
            spot(WINDOWS, Base::Roaming, "Code/User/mcp.json"),
        ],
        marks: &[],
        format: Format::Json,
        section: "servers",
        projects: None,
        shape: Shape::Typed,
        processes: &["code", "Code"],
        manner: Manner::Watches,
    },
    Host {
        id: "windsurf",
        title: "Windsurf",
        files: &[spot(ALL, Base::Home, ".codeium/windsurf/mcp_config.json")],
        marks: &[],
        format: Format::Json,
        section: "mcpServers",
        projects: None,
        shape: Shape::Plain,
        processes: &["windsurf", "Windsurf"],
        manner: Manner::Restarts,
    },
    Host {
        id: "zed",
        title: "Zed",
        files: &[
            spot(UNIX, Base::Zed, "zed/settings.json"),
            spot(WINDOWS, Base::Roaming, "Zed/settings.json"),
        ],
        marks: &[],
        format: Format::Json,
        section: "context_servers",
        projects: None,
        shape: Shape::Zed,
        processes: &["zed", "zed-editor", "Zed"],
        manner: Manner::Watches,
    },
];

const CLINE: &str =
    "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json";
