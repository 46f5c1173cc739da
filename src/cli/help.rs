//! The prose of the help.

/// The end of every verb's help.
pub(super) const SEE_ALSO: &str = "\
`apexmcp-bridge --help` lists the flags that all forms take.
";

/// What the program is for.
pub(super) const LONG_ABOUT: &str = "\
Connect MCP clients that speak stdio to a remote MCP gateway.

The MCP client starts this program and talks to it over stdin and stdout. The
first start opens your browser to sign in; later starts are silent. It takes the
arguments of `npx mcp-remote`, in any order.";

/// Verbs, examples, environment, exit status.
pub(super) const AFTER_LONG_HELP: &str = "\
Verbs, each with its own `--help`:
  clients    Show the MCP clients of this machine, and their entries
  install    Put an entry into the configuration of MCP clients
  login      Sign in to a server now
  logout     End a sign-in
  status     Show the sign-ins
  uninstall  Take such an entry out again

Examples:
  # The command of an MCP client, for the ApexMCP organisation `acme`
  apexmcp-bridge acme

  # The same with an API key and without a browser
  APEXMCP_API_KEY=apx_live_sk_… apexmcp-bridge acme

  # Any other MCP server, with a header from the environment
  apexmcp-bridge https://mcp.example.com/mcp --header 'X-API-Key:${KEY}'

  # Sign in from a terminal, before any MCP client does
  apexmcp-bridge login acme

Environment:
  APEXMCP_API_KEY             API key, sent as `X-API-Key`; no browser opens
  APEXMCP_BRIDGE_STATE_DIR    Absolute path of the folder for stored tokens
  APEXMCP_BRIDGE_TOKEN_STORE  Like `--token-store`, which wins
  APEXMCP_BRIDGE_BROWSER      Program to open the sign-in page with
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                              Proxies, used without any flag

Exit status:
  0    The MCP client closed the session
  1    The last request got no answer, for another reason than those below
  2    The command line is wrong
  4    A sign-in is needed, or the credential was refused
  5    The gateway cannot be reached, or does not answer in time
  6    This machine: the sign-in redirect cannot be listened for, or a file
       cannot be read or written
  129, 130, 143
       Ended by SIGHUP, SIGINT, SIGTERM

A flag that is not known is reported on stderr and skipped, so that no MCP
client's configuration breaks. All flags of mcp-remote 0.15 are known.";

/// `install --help`.
pub(super) const INSTALL: &str = "\
Put an entry for a server into the configuration of MCP clients.

Only the entry is written: comments, order, indentation and line ends of the
file stay. The file is copied first, and replaced at once. A file that cannot be
read is refused, and so is an entry of the same name that differs. What follows
the server is passed to this program as it stands.

Usage: apexmcp-bridge install [OPTIONS] <CLIENT>... <SERVER> [PORT]
       apexmcp-bridge install [OPTIONS] --detected <SERVER> [PORT]
       apexmcp-bridge install [OPTIONS] --migrate [CLIENT]...

Clients: claude-code, claude-desktop, cline, codex, cursor, gemini, goose,
lm-studio, vscode, windsurf, zed

Options:
      --detected    All clients that are installed
      --dry-run     Show the change, and write nothing
      --env <NAME[=VALUE]>
                    Variable that the client sets for this program; without a
                    value, that of this environment; may be repeated
      --force       Replace an entry of the same name
      --migrate     Put this program in the place of `npx mcp-remote`, whatever
                    starts it; arguments stay, and so do the sign-ins
      --name <NAME> Name of the entry [default: apexmcp, or that of the server]
      --no-backup   Do not copy the file first
      --print       Print the entry, and write nothing
      --write-key   Write the API key in `APEXMCP_API_KEY`, and those that
                    `--env` names, into the file

Examples:
  # The ApexMCP organisation `acme`, in two clients
  $ apexmcp-bridge install claude-desktop cursor acme

  # Every client that still starts mcp-remote
  $ apexmcp-bridge install --migrate --dry-run

Exit status: 0 done, or it was done already; 1 an entry differs, or there is no
such client; 2 wrong command line; 6 a file is broken, or cannot be written.
";

/// `uninstall --help`.
pub(super) const UNINSTALL: &str = "\
Take the entries of this program out of the configuration of MCP clients. A file
that nobody else has changed since is as it was before, to the last byte.

Usage: apexmcp-bridge uninstall [OPTIONS] <CLIENT>...
       apexmcp-bridge uninstall [OPTIONS] --all

Options:
      --all         All clients
      --dry-run     Show the change, and write nothing
      --force       Take out the entry of `--name` even if it is somebody else's
      --name <NAME> Only the entry of this name
      --no-backup   Do not copy the file first

Exit status: 0 done, or there was none; 1 the entry is not ours; 2 wrong command
line; 6 a file is broken, or cannot be written.
";

/// `clients --help`.
pub(super) const CLIENTS: &str = "\
Show the MCP clients that this program knows: whether they are installed and
running, which file they read, and which entries in it are ours or start
mcp-remote. Nothing is changed.

Usage: apexmcp-bridge clients [OPTIONS]

Options:
      --json  For programs

Exit status: 0; 6 a file is broken, or cannot be read.
";
